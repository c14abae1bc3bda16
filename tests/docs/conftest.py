"""What the documents assume: an empty folder, a machine whose timings are made up, photos, published files, a mirror of
weights."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hwnas.search
from hwnas import latency
from hwnas.graph import Model
from hwnas.latency import Device, LatencyTable, Plan, Row, get_device
from hwnas.search.expensive import _linas
from hwnas.space import SearchSpace, get_space
from hwnas.study import _verify
from hwnas.supernet import Supernet, _download, export_onnx, get_supernet
from hwnas.supernet._download import Published
from tests.conftest import REPOSITORY
from tests.latency.fakes import FakeRuntime, FakeSession
from tests.supernet.test_download import Server

RESOLUTIONS = list(range(128, 225, 16))
TIMED = ("ofa_mbv3_w1.0", "ofa_mbv3_w1.2", "digits")
FILE_NS = 2_000_000
"""What an exported file takes."""


def cost_ns(macs: int, precision: str = "fp32") -> int:
    """Latency of a layer on the made-up machine, in ns."""
    return (5_000 + macs // 40) // (2 if precision == "int8" else 1)


class _Costs(dict[str, int]):
    """By layer key; a layer that no table holds costs a constant."""

    def __missing__(self, key: str) -> int:
        return FILE_NS


class StandIn(FakeRuntime):
    """Also times exported files, which do not name their layers."""

    def session(self, model: Model) -> FakeSession:
        try:
            return super().session(model)
        except KeyError:
            return FakeSession(self, [("file", "file")])


@pytest.fixture(scope="session")
def spaces() -> list[SearchSpace]:
    """The spaces that the machine has tables of."""
    whole = [get_space(name) for name in TIMED]
    return [space.restrict(r=RESOLUTIONS) if space.name != "digits" else space for space in whole]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the form that Once-for-All publishes, with random weights."""
    net = get_supernet("ofa_mbv3_w1.0").random(seed=0)
    path = tmp_path_factory.mktemp("published") / "ofa_mbv3_w1.0.pth"
    state = {net.checkpoint_key(name): tensor for name, tensor in net.tensors.items()}
    torch.save({"state_dict": state}, path)
    return path


@pytest.fixture(scope="session")
def own_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolutional network of the user's, with random weights."""
    reference = f"{REPOSITORY / 'examples' / 'own_supernet.py'}:OwnSupernet"
    net = get_supernet(reference).random(seed=0)
    path = tmp_path_factory.mktemp("own") / "mine.onnx"
    export_onnx(net.extract(np.array([d[-1] for d in net.space.domain], dtype=np.int16)), path)
    return path


@pytest.fixture
def desk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spaces: list[SearchSpace],
    image_folder: Path,
    own_network: Path,
    shared_data: Path,
) -> Path:
    """The working folder, with the files that documents assume."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(hwnas.search, "POPULATION", 40)
    monkeypatch.setattr(hwnas.search, "GENERATIONS", 2)
    monkeypatch.setattr(_linas, "INNER_GENERATIONS", 4)
    monkeypatch.setattr(_verify, "MOST", 6)
    monkeypatch.setattr(Supernet, "recipe", replace(Supernet.recipe, epochs=1))
    monkeypatch.setattr(
        latency, "Plan", lambda seed: Plan(times=1, sessions=1, n_calibration=2, n_validation=5, seed=seed)
    )
    shutil.copytree(REPOSITORY / "examples", "examples", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "photos").symlink_to(image_folder)
    (tmp_path / "mine.onnx").symlink_to(own_network)
    for name in ("note10", "acc_predictor.pth"):
        (tmp_path / name).symlink_to(shared_data / "ofa_tutorial" / name)
    costs = _Costs()
    for space in spaces:
        costs.update({key: cost_ns(layer.macs) for key, layer in space.layers().items()})
    fp32, int8 = (_table(spaces, precision) for precision in ("fp32", "int8"))
    fp32.joined(int8).save(Path("latency_tables") / fp32.device.id)
    monkeypatch.setattr(latency, "profile", _profiled)
    for module in ("_whole", "_file"):
        monkeypatch.setattr(f"hwnas.latency.profiling.{module}.OnnxRuntime", lambda _: StandIn(costs))
    return tmp_path


def _table(spaces: list[SearchSpace], precision: str) -> LatencyTable:
    rows = []
    for space in spaces:
        for layer in space.layers().values():
            ms = cost_ns(layer.macs, layer.precision or precision) / 1e6
            rows.append(Row.of(layer, ms, ms, ms, 9))
    return LatencyTable.of(get_device("cpu"), rows, {space.name: _facts(space) for space in spaces}, precision)


def _facts(space: SearchSpace) -> dict[str, Any]:
    return {"fingerprint": space.fingerprint, "method": "in-context", "networks": 26, "seconds": 1.0}


def _profiled(_: Device, space: SearchSpace, folder: Path, precision: str = "fp32", **__: Any) -> LatencyTable:
    """Instead of minutes of measuring: the table that exists, with the space added."""
    return LatencyTable.load(folder).joined(_table([space], precision)).save(folder)


@pytest.fixture
def mirror(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``hwnas download`` asks a server on the loopback."""
    content = published.read_bytes()
    with Server() as server:
        server.content = content
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        url = f"http://127.0.0.1:{server.server_port}/net"
        there = {"ofa_mbv3_w1.0": Published(url, f"git:{blob}", "ofa_mbv3_w1.0.pth")}
        monkeypatch.setattr(_download, "PUBLISHED", there)
        yield
        server.shutdown()
