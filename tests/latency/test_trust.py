"""Whether a table is trusted: by what subnets take here, not by its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwnas.latency import Device, LatencyTable, Row, get_device, trusted
from hwnas.space import get_space
from tests.latency.fakes import FakeRuntime

SPACE = get_space("digits")


def ns_of(scale: float = 1.0) -> dict[str, int]:
    return {key: round(scale * (50_000 + layer.macs / 4)) for key, layer in SPACE.layers().items()}


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables in the working folder alone, and a cache of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("hwnas.latency.table._find.table_folders", lambda: [tmp_path / "latency_tables"])
    (tmp_path / "latency_tables").mkdir()
    return tmp_path / "latency_tables"


def save(folder: Path, device: Device) -> LatencyTable:
    rows = {
        (key, ""): Row(key, ns / 1e6, ns / 1e6, ns / 1e6, 9, SPACE.layers()[key].macs) for key, ns in ns_of().items()
    }
    return LatencyTable(device, rows, {SPACE.name: {"fingerprint": SPACE.fingerprint}}).save(folder / device.id)


def test_a_table_that_tells_the_clock_holds_and_is_not_measured_again_within_the_hour(folders: Path) -> None:
    device, runtime = get_device("cpu"), FakeRuntime(ns_of())
    save(folders, device)
    found = trusted(device, SPACE, runtime=runtime)
    assert found is not None
    assert found.verdict == "holds"
    runs = runtime.runs
    again = trusted(device, SPACE, runtime=runtime)
    assert again is not None
    assert again.words == found.words
    assert runtime.runs == runs
    later = trusted(device, SPACE, runtime=runtime, clock=lambda: 4e9)
    assert later is not None
    assert runtime.runs > runs


def test_another_speed_is_adapted_to(folders: Path) -> None:
    device = get_device("cpu")
    before = save(folders, device)
    found = trusted(device, SPACE, runtime=FakeRuntime(ns_of(1.3)))
    assert found is not None
    assert found.verdict == "adapted"
    x = SPACE.sample(5, np.random.default_rng(0))
    ratio = found.table.cost(SPACE)(x) / before.cost(SPACE)(x)
    assert ratio == pytest.approx(1.3, rel=0.01)
    assert found.table.validation(SPACE) is not None


def test_the_table_of_a_like_machine_is_a_prior(folders: Path) -> None:
    device = get_device("cpu")
    made = Device.from_json({**device.to_json(), "hardware": {"name": "Another CPU", "model": "1"}})
    save(folders, made)
    found = trusted(device, SPACE, runtime=FakeRuntime(ns_of(0.5)))
    assert found is not None
    assert found.verdict == "adapted"
    assert not found.table.device.differences(device)


def test_a_table_without_likeness_is_not_used(folders: Path) -> None:
    device = get_device("cpu")
    save(folders, device)
    odd = {key: ns * (1 + 9 * (i % 2)) for i, (key, ns) in enumerate(ns_of().items())}
    found = trusted(device, SPACE, runtime=FakeRuntime(odd))
    assert found is not None
    assert found.verdict == "unlike"
    assert trusted(get_device("cpu", batch=2), SPACE) is None
