"""Our subnets against upstream's, from upstream's own state dict.

Upstream's supernet has random weights, batch-norm statistics and kernel transforms, so that nothing
agrees by accident. Some archs run inside the supernet and some are extracted, theirs and ours.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas.space import get_space
from hwnas.supernet import get_supernet, recalibrate
from tests.parity import upstream

FAMILIES = ["ofa_mbv3_w1.0", "ofa_mbv3_w1.2", "ofa_proxyless_w1.3", "ofa_resnet50"]
N_ARCHS = 24
SMALL = 64
"""Pixels of most images: no weight depends on them, and 128 take four times as long."""


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_equal_upstream(name: str, tmp_path: Path):
    theirs = upstream.supernet(name, seed=1)
    torch.save({"state_dict": theirs.state_dict()}, tmp_path / "checkpoint.pth")
    ours = get_supernet(name).from_checkpoint(tmp_path / "checkpoint.pth")
    space = get_space(name)
    rng = np.random.default_rng(2)
    # The last four run at the resolution that their genes say.
    rows = space.sample(N_ARCHS, rng, distinct_uniform=False)
    sizes = [SMALL] * (N_ARCHS - 4) + [space.decode(row)["r"] for row in rows[-4:]]
    generator = torch.Generator().manual_seed(3)
    errors, spreads = [], []
    with torch.no_grad():
        for i, (row, size) in enumerate(zip(rows, sizes, strict=True)):
            arch = space.decode(row)
            x = torch.randn(1, 3, size, size, generator=generator)
            expected = upstream.active_subnet(theirs, arch)(x) if i % 4 == 0 else upstream.activate(theirs, arch)(x)
            logits = ours.extract(row)(x) if i % 6 < 2 else ours.forward(row, x)
            errors.append(float((logits - expected).abs().max()))
            spreads.append(float(expected.std()))
    assert min(spreads) > 0.01
    assert max(errors) <= 1e-5


@pytest.mark.parametrize("name", FAMILIES)
def test_recalibration_equals_upstream(name: str, tmp_path: Path):
    theirs = upstream.supernet(name, seed=4)
    torch.save(theirs.state_dict(), tmp_path / "before.pth")
    family, space = get_supernet(name), get_space(name)
    row = space.restrict(r=128).sample(1, np.random.default_rng(5))[0]
    batches = [scale * torch.randn(n, 3, 128, 128) for n, scale in ((4, 1.0), (4, 2.0), (2, 0.5))]
    before = family.from_checkpoint(tmp_path / "before.pth")
    subnet = before.extract(row)
    assert recalibrate(subnet, batches) == 10

    utils = upstream.import_ofa("ofa.imagenet_classification.elastic_nn.utils")
    utils.set_running_statistics(upstream.activate(theirs, space.decode(row)), [(batch, None) for batch in batches])
    torch.save(theirs.state_dict(), tmp_path / "after.pth")
    expected, inherited = family.from_checkpoint(tmp_path / "after.pth").weights(row), before.weights(row)
    for key, found in subnet.weights().items():
        torch.testing.assert_close(found.detach(), expected[key], rtol=1e-4, atol=1e-5, msg=f"{key} differs")
        if "running" in key:
            assert not torch.allclose(found, inherited[key], rtol=0.01)
