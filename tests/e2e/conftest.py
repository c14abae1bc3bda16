"""The command line in this process, isolated: an empty folder, no colour, 80 columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hwnas.cli import main
from hwnas.latency import Device, LatencyTable, Row
from hwnas.predictor import new_predictor, save_predictor
from hwnas.space import get_space, macs_cost


@dataclass(frozen=True)
class Ran:
    """The outcome of a command: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Hwnas = Callable[..., Ran]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def hwnas(capfd: pytest.CaptureFixture[str]) -> Hwnas:
    """``hwnas("search", "--latency", "20ms") -> Ran``."""

    def run(*args: object) -> Ran:
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(a) for a in args])
        out, err = capfd.readouterr()
        assert isinstance(exit_.value.code, int)
        return Ran(exit_.value.code, out, err)

    return run


SPACE = get_space("ofa_mbv3_w1.0")
RESOLUTIONS = (160, 192)
MS_PER_MAC = 3e-8
"""Of the synthetic device: latency is proportional to MACs."""


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A latency table of a device that needs 30 ps per MAC, at two resolutions."""
    layers = SPACE.restrict(r=list(RESOLUTIONS)).layers().values()
    rows = []
    for layer in layers:
        ms = layer.macs * MS_PER_MAC
        rows.append(Row(layer.key, ms, ms, ms, 1, layer.macs))
    made = LatencyTable.of(Device("toy", ""), rows).save(tmp_path_factory.mktemp("tables") / "toy")
    assert made.path is not None
    return made.path


@pytest.fixture(scope="session")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ridge fitted on an invented accuracy that grows with MACs."""
    return _fitted("ridge", tmp_path_factory.mktemp("predictor"))


@pytest.fixture(scope="session")
def additive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An additive predictor fitted to the same data, for exact fronts."""
    return _fitted("additive", tmp_path_factory.mktemp("predictor"))


def _fitted(kind: str, folder: Path) -> Path:
    x = SPACE.sample(400, np.random.default_rng(0), distinct_uniform=False)
    y = 60 + 6 * np.log(macs_cost(SPACE)(x) / 4e7) + 0.02 * x[:, :20].sum(axis=1)
    path = folder / "toy.safetensors"
    save_predictor(new_predictor(kind, SPACE).fit(x, y), path)
    return path
