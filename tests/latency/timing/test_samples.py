"""The timer: what runs how often, and that neither drift, nor caches, nor other processes bias what it tells."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.graph import network_model
from hwnas.latency import Measurement, Speed
from hwnas.latency.timing import _loop, _measure
from hwnas.latency.timing._block import measure_together
from hwnas.latency.timing._loop import BLOCK_RUNS, LONG_RUNS, PACE_RUNS, SETTLE_RUNS, WARM_UPS, Timed, kept_runs, record
from hwnas.latency.timing._measure import few_at_a_time, measure_all
from hwnas.latency.timing._samples import Samples, block_ns
from tests.latency.fakes import FakeRuntime, FakeSession, costs, tiny_space

SPACE = tiny_space()
COSTS = costs(SPACE)
ROWS = SPACE.sample(5, np.random.default_rng(0))
MODELS = [network_model(SPACE.network(row)) for row in ROWS]
TRUE_NS = np.array([sum(COSTS[layer.key] for _, layer in SPACE.network(row)) for row in ROWS])
COLD = (1.6, 1.22, 1.09, 1.09, 1.07, 1.06, 1.05, 1.03, 1.03, 1.02)
"""A session's first runs after another one's, as measured on a network of 2 ms."""


def together(runtime: FakeRuntime, *, nodes: bool = False) -> list[float]:
    found = measure_together(runtime, MODELS[1:], MODELS[0], rng=np.random.default_rng(0), nodes=nodes)
    return [times.ratio for times in found]


def test_every_model_has_a_block_a_round_between_two_of_the_anchor() -> None:
    runtime = FakeRuntime(COSTS)
    order: list[int] = []

    class Numbered(FakeSession):
        def run(self) -> None:
            super().run()
            order.append(sessions.index(self))

    sessions = [Numbered(runtime, runtime.session(model).layers) for model in MODELS]
    anchor, *timed = [Timed(session, runtime.clock) for session in sessions]
    order.clear()
    times, anchors = record(
        timed, anchor, rounds=7, rng=np.random.default_rng(0), clock=runtime.clock, waiting=runtime.waiting
    )
    lengths = {i: each.settle + each.runs for i, each in enumerate([anchor, *timed])}
    blocks = [order[0]]
    for number, each in enumerate(order[1:]):
        if each != order[number]:
            blocks.append(each)
    assert blocks[::2] == [0] * (7 * 4 + 1)  # the last of a round and the first of the next are neighbours
    assert len(order) == 7 * sum(lengths[i] for i in range(1, 5)) + 7 * 5 * lengths[0]
    rounds = [tuple(b for b in blocks if b)[i : i + 4] for i in range(0, 28, 4)]
    assert all(sorted(round_) == [1, 2, 3, 4] for round_ in rounds)
    assert len(set(rounds)) > 1
    for i, (mine, beside) in enumerate(zip(times, anchors, strict=True), start=1):
        assert mine.shape == (7, timed[i - 1].runs, 2)
        assert beside.shape == (7, 2, anchor.runs, 2)
        assert (mine[..., 0] == TRUE_NS[i]).all()
        assert (beside[..., 0] == TRUE_NS[0]).all()


def test_short_models_run_more_often_in_a_block() -> None:
    paces = []
    for ns in (10_000, 2_000_000, 20_000_000, 500_000_000):
        runtime = FakeRuntime(dict.fromkeys(COSTS, ns))
        paces.append(Timed(runtime.session(MODELS[0]), runtime.clock))
    assert (paces[0].settle, paces[0].runs) == (SETTLE_RUNS[1], BLOCK_RUNS[1])
    assert SETTLE_RUNS[0] < paces[1].settle < SETTLE_RUNS[1]
    assert (paces[2].settle, paces[2].runs) == (SETTLE_RUNS[0], BLOCK_RUNS[0])
    assert (paces[3].settle, paces[3].runs) == LONG_RUNS


@pytest.mark.parametrize(
    "speed",
    [
        lambda _: 1.0,
        lambda run: 1 + run / 20000,  # slower and slower
        lambda run: 1.3 if run // 400 % 3 == 0 else 1.0,  # two speeds
        lambda run: 8.0 if run % 11 == 0 else 1.0,  # spikes
    ],
    ids=["steady", "slowing", "two speeds", "spikes"],
)
def test_ratios_do_not_follow_the_machine(speed: object) -> None:
    runtime = FakeRuntime(COSTS, speed=speed)  # type: ignore[arg-type]
    np.testing.assert_allclose(together(runtime), TRUE_NS[1:] / TRUE_NS[0], rtol=0.02)


@pytest.mark.parametrize("nodes", [False, True])
def test_times_are_those_of_back_to_back_runs_whatever_ran_before(nodes: bool) -> None:
    """Each time a session takes over, its first ten runs are slow; alone, runs take what they take."""
    runtime = FakeRuntime({key: ns // 2 for key, ns in COSTS.items()}, cold=COLD)
    found = measure_together(runtime, MODELS[1:], MODELS[0], rng=np.random.default_rng(0), nodes=nodes)
    np.testing.assert_allclose([t.median_ms for t in found], TRUE_NS[1:] / 2e6, rtol=1e-6)
    np.testing.assert_allclose([t.p95_ms for t in found], TRUE_NS[1:] / 2e6, rtol=0.011)
    np.testing.assert_allclose([t.ratio for t in found], TRUE_NS[1:] / TRUE_NS[0], rtol=1e-6)
    # Run by run next to the anchor, as it once was, they would seem up to a fifth slower.
    session = runtime.session(MODELS[1])
    anchor = runtime.session(MODELS[0])
    anchor.run()
    session.run()
    start = runtime.clock()
    session.run()
    assert runtime.clock() - start > 1.2 * TRUE_NS[1] / 2


def test_node_times_kept_are_those_of_the_blocks() -> None:
    runtime = FakeRuntime(COSTS, cold=COLD)
    session = runtime.profiled(MODELS[0])
    _loop.warm_up([session])
    timed = Timed(session, runtime.clock)
    timed.block(runtime.clock, runtime.waiting)
    timed.block(runtime.clock, runtime.waiting)
    kept = kept_runs(timed, 2)
    assert kept[0] == WARM_UPS + PACE_RUNS + timed.settle
    assert len(kept) == 2 * timed.runs
    assert kept[-1] == len(session.recorded) - 1


def test_waiting_for_a_core_does_not_count() -> None:
    # Every third run waits for as long as two take.
    busy = FakeRuntime(COSTS, busy=lambda run: 6_000_000 if run % 3 == 0 else 0)
    found = measure_together(busy, MODELS[1:], MODELS[0], rng=np.random.default_rng(0))
    np.testing.assert_allclose([t.median_ms for t in found], TRUE_NS[1:] / 1e6)
    np.testing.assert_allclose([t.ratio for t in found], TRUE_NS[1:] / TRUE_NS[0])
    # The 95th percentile is of all runs: users wait for those too.
    assert all(t.p95_ms > t.median_ms + 5 for t in found)


def test_where_all_runs_waited_those_that_waited_least_count_without_it() -> None:
    ns = np.array([10, 30, 28, 15, 13, 19], dtype=np.int64) * 1_000_000
    waited = np.array([1, 29, 18, 4, 3, 9], dtype=np.int64) * 1_000_000
    assert block_ns(np.stack([ns, waited], axis=1)) == 10_000_000
    assert block_ns(np.stack([ns, 0 * ns], axis=1)) == 17_000_000


def test_a_time_among_runs_that_all_waited_is_that_of_a_quiet_machine() -> None:
    # Runs of 20 ms, give or take 2 %, each of which waits for 3 to 100 % of that, as the clock tells.
    rng = np.random.default_rng(0)
    true = 2e7 * np.exp(0.02 * rng.standard_normal((400, 5)))
    waited = rng.uniform(6e5, 2e7, true.shape)
    found = [block_ns(block) for block in np.stack([true + waited, waited], axis=2).astype(np.int64)]
    np.testing.assert_allclose(found, 2e7, rtol=0.06)
    assert np.mean(found) == pytest.approx(2e7, rel=0.005)


def test_the_first_runs_of_a_session_are_not_timed() -> None:
    runtime = FakeRuntime(COSTS, speed=lambda run: 50.0 if run <= 2 * WARM_UPS else 1.0)
    (found,) = measure_together(runtime, MODELS[:1], MODELS[0], rng=np.random.default_rng(0))
    assert found.median_ms == pytest.approx(TRUE_NS[0] / 1e6)


def test_one_slow_round_moves_neither_ratio() -> None:
    def runs(ns: int, *, pair: bool = False) -> np.ndarray:
        block = np.stack([np.full((9, 6), ns), np.zeros((9, 6))], axis=2).astype(np.int64)
        block[4, :, 0] *= 1 if pair else 3
        return np.stack([block, block], axis=1) if pair else block

    slow = Samples([runs(100), runs(300)], [runs(200, pair=True)] * 2)
    np.testing.assert_array_equal(slow.ratios(), [0.5, 1.5])


def test_a_measurement_is_by_the_clock_and_tells_the_speed_beside() -> None:
    runtime = FakeRuntime(COSTS, speed=lambda _: 1.25)
    (few,) = measure_all(runtime, iter(MODELS), MODELS[0], rng=np.random.default_rng(0))
    for times, ns in zip(few, TRUE_NS, strict=True):
        found = Measurement.of(times, TRUE_NS[0] / 1e6)
        assert found.median_ms == pytest.approx(1.25 * ns / 1e6)
        assert found.p95_ms == pytest.approx(1.25 * ns / 1e6)
        assert found.at_table_speed_ms == pytest.approx(ns / 1e6)
        assert found.speed_pct == pytest.approx(80)
        assert Measurement.of(times, None).speed_pct is None


def test_models_are_measured_a_few_at_a_time() -> None:
    runtime = FakeRuntime(COSTS)
    found = list(measure_all(runtime, iter(MODELS * 2), MODELS[0], rng=np.random.default_rng(0)))
    assert [len(few) for few in found] == [8, 2]
    assert len(runtime.opened) == 12  # the anchor is opened for each few


def test_large_models_are_measured_fewer_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [3, 1, 1, 5, 4, 4, 1, 1, 1, 1, 1, 1, 1]
    found = list(few_at_a_time(enumerate(sizes), lambda item: item[1], 9))
    assert [[size for _, size in few] for few in found] == [[3, 1, 1], [5, 4], [4, 1, 1, 1, 1, 1], [1, 1]]
    assert [item for few in found for item in few] == [*enumerate(sizes)]
    monkeypatch.setattr(_measure, "READY_BYTES", 1)
    few = measure_all(FakeRuntime(COSTS), iter(MODELS), MODELS[0], rng=np.random.default_rng(0))
    assert [len(each) for each in few] == [1] * len(MODELS)


def test_a_speed_that_wanders_says_so() -> None:
    steady, wandering = Speed.of([10.0, 10.1, 10.2], 8.0), Speed.of([10.0, 11.0, 13.0], None)
    assert steady.pct == pytest.approx(100 * 8 / 10.1)
    assert not steady.wanders
    assert wandering.pct is None
    assert wandering.wanders
    assert wandering.low_pct < 90
    assert wandering.high_pct > 105


def test_threads_that_wait_for_a_core_are_counted() -> None:
    assert 0 <= _loop.waited_ns() <= _loop.waited_ns()
