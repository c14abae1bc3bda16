"""Networks whose times do not repeat are timed more often; those that do are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from hwnas.io import Journal
from hwnas.latency import get_device
from hwnas.latency.profiling._methods import networks_by_name
from hwnas.latency.profiling._timer import MOST_SESSIONS, JournaledTimer, model_of
from hwnas.latency.timing._noise import STEADY_PCT, repeat_pct
from tests.latency.fakes import FakeRuntime, costs, tiny_space

SPACE = tiny_space()
COSTS = costs(SPACE)
DEVICE = get_device("cpu")
NETWORKS = networks_by_name(SPACE, SPACE.sample(4, np.random.default_rng(0)))


def unsteady(run: int) -> float:
    """Another speed for every six runs or so: that of the anchor beside a network is not the network's."""
    return float(np.random.default_rng(run // 6).uniform(1.0, 2.0))


@contextmanager
def timer(path: Path, speed: Callable[[int], float], stop_after: int | None = None) -> Iterator[JournaledTimer]:
    runtime = FakeRuntime(COSTS, speed=speed, stop_after=stop_after)
    anchor = SPACE.network(SPACE.sample(1, np.random.default_rng(1))[0])
    with Journal(path, {"kind": "test"}) as journal:
        yield JournaledTimer(runtime, model_of(DEVICE, "fp32"), anchor, journal, sessions=2)


def sessions(timer: JournaledTimer) -> int:
    return 1 + max(session for _, _, session in timer.times)


def test_times_that_repeat_are_taken_twice(tmp_path: Path) -> None:
    with timer(tmp_path / "steady.jsonl", lambda _: 1.0) as steady:
        steady.measure("validation", NETWORKS)
    assert sessions(steady) == 2


def test_times_that_do_not_repeat_are_taken_more_often(tmp_path: Path) -> None:
    with timer(tmp_path / "wild.jsonl", unsteady) as wild:
        found = wild.measure("validation", NETWORKS)
    first = {which: t.ratio for which, t in wild.times.items() if which[2] < 2}
    assert (repeat_pct(first) or 0) > STEADY_PCT
    assert 2 < sessions(wild) <= MOST_SESSIONS
    every = sessions(wild) * len(NETWORKS)
    assert len(wild.times) == every
    for name, times in found.items():
        assert times.ratio == pytest.approx(np.median([t.ratio for w, t in wild.times.items() if w[1] == name]))


def test_who_says_how_often_gets_no_more(tmp_path: Path) -> None:
    with timer(tmp_path / "wild.jsonl", unsteady) as wild:
        wild.measure("validation", NETWORKS, sessions=2)
    assert sessions(wild) == 2


def test_what_was_measured_before_an_interruption_is_not_measured_again(tmp_path: Path) -> None:
    with timer(tmp_path / "whole.jsonl", unsteady) as whole:
        whole.measure("validation", NETWORKS)
    assert isinstance(whole.runtime, FakeRuntime)
    path = tmp_path / "killed.jsonl"
    stop_after = whole.runtime.runs * 3 // 4
    with pytest.raises(KeyboardInterrupt), timer(path, unsteady, stop_after) as killed:
        killed.measure("validation", NETWORKS)
    with timer(path, lambda _: 1.0) as resumed:
        resumed.measure("validation", NETWORKS)
    assert len(killed.times) >= 2 * len(NETWORKS)
    assert {which: t for which, t in resumed.times.items() if which in killed.times} == killed.times
