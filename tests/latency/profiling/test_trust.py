"""Whether a table is trusted: by measured subnets on this machine, not by the device's name."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from hwnas.errors import DeviceError
from hwnas.latency import Device, LatencyTable, Row, get_device, trusted
from hwnas.latency.device._facts import usable_cores
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


def save(folder: Path, device: Device, scale: float = 1.0, **facts: str) -> LatencyTable:
    rows = [Row(key, ns / 1e6, ns / 1e6, ns / 1e6, 9, SPACE.layers()[key].macs) for key, ns in ns_of(scale).items()]
    about = {"fingerprint": SPACE.fingerprint, **facts}
    return LatencyTable.of(device, rows, {SPACE.name: about}).save(folder / device.id)


def test_a_table_that_tells_the_clock_holds_and_is_not_measured_again_within_the_hour(folders: Path) -> None:
    device, runtime = get_device("cpu"), FakeRuntime(ns_of())
    save(folders, device)
    found = trusted(device, SPACE, runtime=runtime)
    assert found is not None
    assert found.verdict == "holds"
    assert "holds: 6 subnets timed now are off by" in found.words
    runs, [journal] = runtime.runs, (folders.parent / "cache" / "hwnas").iterdir()
    begun = time.time() - 600
    os.utime(journal, (begun, begun))
    at = time.strftime("%H:%M", time.localtime(begun))
    again = trusted(device, SPACE, runtime=runtime)
    assert again is not None
    assert again.words == found.words.replace("timed now", f"timed at {at}")
    assert runtime.runs == runs
    # Another table may need more of them; and what was kept may be of a machine that was busy.
    more = trusted(device, SPACE, table=save(folders.parent / "slow", device, scale=1.3), runtime=runtime)
    assert more is not None
    assert more.verdict == "adapted"
    assert f"13 subnets timed since {at} are off by" in more.words
    later = trusted(device, SPACE, runtime=runtime, clock=lambda: 4e9)
    assert later is not None
    assert runtime.runs > runs
    assert later.words == found.words


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
    anchor = found.table.anchor(SPACE)
    assert anchor is not None
    # The anchor's time at the new speed, so that later measurements can be related to it.
    assert anchor.median_ms == pytest.approx(sum(ns_of(1.3)[la.key] for _, la in anchor.network) / 1e6, rel=1e-3)


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
    assert "does not fit this machine: even adapted, 36 subnets timed now are off by" in found.words
    assert trusted(get_device("cpu", batch=2), SPACE) is None


def test_a_minute_is_spent_before_a_table_is_given_up(folders: Path) -> None:
    """Layers that are 10 % off, each in its own way: thirteen subnets do not tell all of it, 36 do."""
    device, rng = get_device("cpu"), np.random.default_rng(0)
    save(folders, device)
    off = {key: round(ns * np.exp(rng.normal(0, 0.1))) for key, ns in ns_of().items()}
    found = trusted(device, SPACE, runtime=FakeRuntime(off))
    assert found is not None
    assert found.verdict == "adapted"
    assert "each predicted from the others, 36 subnets timed now are off by 1." in found.words


def test_a_table_that_was_just_made_is_not_made_again(folders: Path) -> None:
    device = get_device("cpu")
    made = save(folders, device, date="2026-05-01T12:00:00+00:00")
    odd = {key: ns * (1 + 9 * (i % 2)) for i, (key, ns) in enumerate(ns_of().items())}
    at = datetime(2026, 5, 1, 12, 20, tzinfo=UTC).timestamp()
    found = trusted(device, SPACE, runtime=FakeRuntime(odd), clock=lambda: at)
    assert found is not None
    assert (found.verdict, found.table.digest) == ("busy", made.digest)
    assert "less than an hour old" in found.words
    later = trusted(device, SPACE, runtime=FakeRuntime(odd), clock=lambda: at + 3600)
    assert later is not None
    assert later.verdict == "unlike"


def test_a_busy_machine_is_told_of_and_judges_no_table(folders: Path, tmp_path: Path) -> None:
    device = get_device("cpu")
    made = save(folders, device)

    def loaded() -> FakeRuntime:
        return FakeRuntime(ns_of(1.3), busy=lambda run: 500_000 * (run % 3 > 0))

    found = trusted(device, SPACE, runtime=loaded())
    assert found is not None
    assert (found.verdict, found.table.digest) == ("busy", made.digest)
    assert "is used as it is, unchecked: this machine is busy: 67 % of runs waited for a core" in found.words
    assert not list((tmp_path / "cache").rglob("*.jsonl")), "the next command looks again"
    quiet = trusted(device, SPACE, runtime=FakeRuntime(ns_of(1.3)))
    assert quiet is not None
    assert quiet.verdict == "adapted"
    # The table of another machine is no substitute, and none is made under load.
    other = get_device("cpu", threads=2) if usable_cores() > 1 else None
    if other is not None:
        with pytest.raises(DeviceError, match="no latency table of its own, and this machine is busy: 67 %"):
            trusted(other, SPACE, runtime=loaded())


def test_what_disturbs_a_machine_for_seconds_is_waited_for(folders: Path) -> None:
    device = get_device("cpu")
    save(folders, device)
    runs = count()
    found = trusted(device, SPACE, runtime=FakeRuntime(ns_of(), busy=lambda _: 500_000 * (next(runs) < 300)))
    assert found is not None
    assert found.verdict == "holds"
    assert next(runs) > 600


def test_a_table_that_is_named_is_the_one_that_is_checked(folders: Path, tmp_path: Path) -> None:
    device = get_device("cpu")
    save(folders, device)
    elsewhere = save(tmp_path / "elsewhere", device)
    found = trusted(device, SPACE, table=elsewhere, runtime=FakeRuntime(ns_of()))
    assert found is not None
    assert (found.verdict, found.table.path) == ("holds", elsewhere.path)
