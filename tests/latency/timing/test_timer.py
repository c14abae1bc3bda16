"""The timer: what runs how often, and that drift of the machine cancels out."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hwnas.latency import Anchor, get_device, measure_networks
from hwnas.latency.timing import _loop
from hwnas.latency.timing._timer import RUNS, WARM_UPS, Samples, interleaved
from tests.latency.fakes import FakeRuntime, costs, tiny_space

SPACE = tiny_space()
COSTS = costs(SPACE)
ROWS = SPACE.sample(5, np.random.default_rng(0))
NETWORKS = [SPACE.network(row) for row in ROWS]
TRUE_NS = np.array([sum(COSTS[layer.key] for _, layer in net) for net in NETWORKS])


def test_every_network_is_visited_once_a_round_next_to_the_anchor() -> None:
    runtime = FakeRuntime(COSTS)
    sessions = [runtime.session(network) for network in NETWORKS]
    beside: list[int] = []
    samples = interleaved(
        sessions[1:],
        sessions[0],
        rounds=7,
        rng=np.random.default_rng(0),
        clock=runtime.clock,
        beside=beside.append,
    )
    # Per visit one untimed and RUNS timed runs, of the network and of the anchor.
    assert runtime.runs == 7 * 4 * 2 * (RUNS + 1)
    assert samples.times.shape == samples.anchor.shape == (7, 4, RUNS)
    assert (samples.times == TRUE_NS[None, 1:, None]).all()
    orders = [tuple(beside[i : i + 4]) for i in range(0, 28, 4)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len(set(orders)) > 1


@pytest.mark.parametrize(
    "speed",
    [
        lambda _: 1.0,
        lambda run: 1 + run / 2000,  # slower and slower
        lambda run: 1.3 if run // 40 % 3 == 0 else 1.0,  # two speeds
        lambda run: 8.0 if run % 11 == 0 else 1.0,  # spikes
    ],
    ids=["steady", "slowing", "two speeds", "spikes"],
)
def test_ratios_do_not_follow_the_machine(speed: object) -> None:
    runtime = FakeRuntime(COSTS, speed=speed)  # type: ignore[arg-type]
    found = measure_networks(get_device("cpu"), NETWORKS, anchor=Anchor(NETWORKS[0], 10.0), runtime=runtime)
    expected = 10.0 * TRUE_NS / TRUE_NS[0]
    np.testing.assert_allclose([m.median_ms for m in found], expected, rtol=0.02)
    assert all(m.p95_ms >= m.median_ms * 0.99 for m in found)


def test_measuring_without_a_reference_tells_the_time_of_the_clock() -> None:
    steps: list[tuple[int, int]] = []
    runtime = FakeRuntime(COSTS)
    found = measure_networks(
        get_device("cpu"), NETWORKS * 2, runtime=runtime, progress=lambda done, all_, _: steps.append((done, all_))
    )
    np.testing.assert_allclose([m.median_ms for m in found], np.tile(TRUE_NS / 1e6, 2))
    np.testing.assert_allclose([m.clock_ms for m in found], np.tile(TRUE_NS / 1e6, 2))
    assert steps == [(8, 10), (10, 10)]
    assert len(runtime.opened) == 12  # the anchor's for each of two blocks
    assert measure_networks(get_device("cpu"), [], runtime=runtime) == []


def test_the_first_runs_of_a_session_are_not_timed() -> None:
    runtime = FakeRuntime(COSTS, speed=lambda run: 50.0 if run <= 2 * WARM_UPS else 1.0)
    (found,) = measure_networks(get_device("cpu"), NETWORKS[:1], runtime=runtime)
    assert found.clock_ms == pytest.approx(TRUE_NS[0] / 1e6)


def test_one_slow_round_moves_neither_ratio() -> None:
    times = np.full((9, 2, RUNS), 100)
    times[:, 1] = 300
    anchor = np.full((9, 2, RUNS), 200)
    slow = Samples(np.where(np.arange(9)[:, None, None] == 4, 3 * times, times), anchor)
    np.testing.assert_array_equal(slow.ratios(), [0.5, 1.5])


class _Counted:
    """A session that takes a known time, and whose threads wait for a known time, run by run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ms: list[int], late_ms: list[int]) -> None:
        self.left = list(zip(ms, late_ms, strict=True))
        self.now = self.waited = 0
        monkeypatch.setattr(time, "perf_counter_ns", self.clock)
        monkeypatch.setattr(_loop, "waited_ns", lambda: self.waited)

    def clock(self) -> int:
        return self.now

    def run(self) -> None:
        ms, late_ms = self.left.pop(0)
        self.now += ms * 1_000_000
        self.waited += late_ms * 1_000_000


def test_a_run_that_had_to_wait_for_a_core_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _Counted(monkeypatch, [9, 30, 25, 10, 11], [0, 20, 15, 0, 0])
    assert _loop.timed(session, time.perf_counter_ns) == [10_000_000, 11_000_000]


def test_where_all_had_to_wait_the_one_that_waited_least_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    late = [20, 18, 5, 12, 9, 30]
    session = _Counted(monkeypatch, [9, *(10 + ms for ms in late), 10], [0, *late, 0])
    assert _loop.timed(session, time.perf_counter_ns) == [15_000_000, 10_000_000]


def test_cpu_time_leaves_out_waits_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _Counted(monkeypatch, [9, 10, 11], [9, 9, 9])
    assert _loop.timed(session, lambda: session.now) == [10_000_000, 11_000_000]


def test_threads_that_wait_for_a_core_are_counted() -> None:
    assert 0 <= _loop.waited_ns() <= _loop.waited_ns()
