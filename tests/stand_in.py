"""In place of data that is not at hand: a few real rows, and files of the form that Once-for-All releases.

The rows come from ``tests/fixtures/upstream``. What states no licence is made: weights are random, and tables hold random
times under the names that Once-for-All's own code looks up.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from pathlib import Path

import torch
import yaml

from hwnas.space.families.ofa_proxyless import ofa_proxyless
from tests.parity import upstream

FIXTURES = Path(__file__).parent / "fixtures" / "upstream"
RESOLUTIONS = (160, 176, 192, 208, 224)


def make_data(folder: Path) -> Path:
    """Fill ``folder`` as the folder of whole data is laid out."""
    for source in FIXTURES.rglob("*.csv"):
        target = folder / source.relative_to(FIXTURES).with_suffix(".csv.gz")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(source.read_bytes(), mtime=0))
    tutorial = folder / "ofa_tutorial"
    (tutorial / "note10").mkdir(parents=True)
    torch.save(_weights(inputs=128, name="{}", bias_last=True), tutorial / "acc_predictor.pth")
    torch.save(_weights(inputs=82, name="layers.{}", bias_last=False), tutorial / "ofa_resnet50_acc_predictor.pth")
    for r in RESOLUTIONS:
        (tutorial / "note10" / f"{r}_lookup_table.yaml").write_text(yaml.safe_dump(dict(_note10(r))))
    (tutorial / "proxyless_mobile_trim.yaml").write_text(yaml.safe_dump(dict(_proxyless())))
    return folder


class _Asked(dict[str, dict[str, float]]):
    """A table that has a time for every name it is asked for."""

    def __missing__(self, key: str) -> dict[str, float]:
        return self.setdefault(key, {"mean": 0.01 + zlib.crc32(key.encode()) / 2**32})


def _note10(r: int) -> _Asked:
    module = upstream.import_ofa("ofa.tutorial.latency_table")
    estimator = object.__new__(module.LatencyEstimator)  # its constructor reads a file
    estimator.lut = _Asked()
    for ks, e in itertools.product((3, 5, 7), (3, 4, 6)):
        arch = {"ks": [ks] * 20, "e": [e] * 20, "d": [4] * 5, "r": r}
        estimator.predict_network_latency_given_spec(upstream.tutorial_spec(arch))
    return estimator.lut


def _proxyless() -> _Asked:
    module = upstream.import_ofa("ofa.nas.efficiency_predictor.latency_lookup_table")
    estimator = object.__new__(module.ProxylessNASLatencyTable)
    estimator.lut = _Asked()
    space, net = ofa_proxyless(1.0), upstream.supernet("ofa_proxyless_w1.3")
    for ks, e in itertools.product((3, 5, 7), (3, 6)):
        arch = {"ks": [ks] * 21, "e": [e] * 21, "d": [4] * 5 + [1], "r": 224}
        row = space.encode(arch)
        config = upstream.at_width_1(upstream.net_config(net, arch), space, row)
        estimator.predict_network_latency_given_config(config, 224)
    return estimator.lut


def _weights(inputs: int, name: str, *, bias_last: bool) -> dict[str, torch.Tensor]:
    """A state dict of three hidden layers of 400 units."""
    generator = torch.Generator().manual_seed(0)
    state = {} if bias_last else {"base_acc": torch.tensor([0.7])}
    for i, (wide, out) in enumerate([(inputs, 400), (400, 400), (400, 400), (400, 1)]):
        layer = name.format(2 * i if bias_last else i if out == 1 else f"{i}.0")
        state[f"{layer}.weight"] = (torch.rand(out, wide, generator=generator) - 0.5) * 2 / wide**0.5
        if out > 1 or bias_last:
            state[f"{layer}.bias"] = (torch.rand(out, generator=generator) - 0.5) * 2 / wide**0.5
    return state
