"""Fixtures shared by all tests."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Generator
from itertools import count
from pathlib import Path

# Before numpy and torch read them: tests run two at a time, and small arrays are no faster on more threads.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import pytest
from PIL import Image

from hwnas import latency
from hwnas.latency import Device
from hwnas.space import SearchSpace

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Among pytest-xdist's processes, a test that times networks runs alone: the others wait."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    locks = REPOSITORY / ".pytest_cache"
    locks.mkdir(exist_ok=True)
    alone = item.get_closest_marker("clock") is not None
    # A test that waits to be alone holds the gate, so that no other test begins meanwhile.
    with (locks / "gate.lock").open("w") as gate, (locks / "test.lock").open("w") as here:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(here, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:  # by name: a process that the test forked would hold them on
            fcntl.flock(here, fcntl.LOCK_UN)
            fcntl.flock(gate, fcntl.LOCK_UN)


WHOLE_DATA = Path(os.environ.get("HWNAS_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder for each test: it sees nothing of other tests or the user, and does not wait for their timings."""
    folder = tmp_path_factory.getbasetemp() / f"cache{next(_CACHES)}"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setenv("HWNAS_TIMING_LOCK", f"{folder}.lock")


_CACHES = count()


@pytest.fixture(autouse=True)
def tables_hold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust tables without measuring: tests use tables of machines that do not exist."""
    if request.node.get_closest_marker("checks_tables") is None:
        monkeypatch.setattr(latency, "trusted", _holds)
        monkeypatch.setattr(latency, "machine_load", lambda *_: latency.Load())


@pytest.fixture(autouse=True)
def brief_plain_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain processes that check a profile take a moment, not half a minute."""
    monkeypatch.setattr("hwnas.latency.profiling._plain_check.ROUNDS", 2)
    monkeypatch.setattr("hwnas.latency.profiling._plain_check.SECONDS", 0.01)


def _holds(
    device: Device,
    space: SearchSpace,
    *,
    precision: str = "fp32",
    table: latency.LatencyTable | None = None,
    **_: object,
) -> latency.Trust | None:
    found = table or latency.find_table_for(device, space, precision)
    return None if found is None else latency.Trust("holds", found, f"{found.name} holds: so the test says")


@pytest.fixture(scope="session")
def whole_data() -> bool:
    """Whether :func:`shared_data` is the full published data, not a few rows of it."""
    return WHOLE_DATA.is_dir()


@pytest.fixture(scope="session")
def shared_data(whole_data: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Public data: the folder beside the repository, or in its place a few real rows and generated files."""
    if whole_data:
        return WHOLE_DATA
    from tests.stand_in import make_data

    return make_data(tmp_path_factory.mktemp("data"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count what was skipped, and say why."""
    reasons = Counter(_reason(report) for report in terminalreporter.getreports("skipped"))
    if reasons:
        terminalreporter.section(f"{sum(reasons.values())} skipped")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:4} {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return told.removeprefix("Skipped: ")


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes, each of its own colour: 5 validation and 4 training images of several sizes."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for split, n in (("val", 5), ("train", 4)):
        for label in range(10):
            target = folder / split / f"n{label:04d}"
            target.mkdir(parents=True)
            for i in range(n):
                size = (40 + 7 * i, 64 - 3 * label, 3)
                pixels = rng.integers(0, 80, size) + np.array([18 * label, 0, 170 - 17 * label])
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(target / f"{i}.jpg")
    return folder
