"""Simulation of asynchronous searches on an uneven cluster: how busy the workers are, and how good the front is.

    python -m benchmarks.async_search --seeds 10

64 workers; evaluation times are log-normal (standard deviation of the logarithm 0.5, mean 100 s). Objectives are MACs and the
accuracy by the shipped predictor of ``ofa_mbv3_w1.0`` at 224 px, without noise. LINAS runs for real, and its processor time
advances the simulated clock. Columns, by seed:

* busy: share of the workers' time spent on evaluations, until the last evaluation starts. After that, workers become idle in any
  search; ``in all`` includes this time;
* sync: the same for batches of ten that must finish, as in ``hwnas search`` without ``--asynchronous``;
* hypervolume after equally many evaluations, as a share of the synchronous search's.

Both searches are those of the command: ``drive_freely`` and ``run_search`` on an ``Executor``; only time is simulated.
"""

from __future__ import annotations

import argparse
import heapq
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.executor import Done, Executor, Outcome
from hwnas.predictor import get_predictor
from hwnas.search import Objective, Problem, SearchOptions, SearchResult, drive_freely, hypervolume, linas, run_search
from hwnas.space import Population, get_space, macs_cost

SPREAD = 0.5
MEAN_S = 100.0
WORKERS = 64
REFERENCE = (70.0, 600e6)
"""Reference point of the hypervolume: top-1 in %, MACs."""


class Simulated(Executor):
    """Workers with random evaluation times, on a simulated clock that the driver's processor time advances too."""

    def __init__(self, workers: int, seed: int, value: Any) -> None:
        self._workers, self._value = workers, value
        self._rng = np.random.default_rng([seed, 64])
        self._ends: list[tuple[float, int, Any]] = []
        self._driver = time.process_time()
        self._spans: list[tuple[float, float]] = []
        self.now = 0.0

    @property
    def workers(self) -> int:
        return self._workers

    def start(self, key: int, item: Any) -> None:
        self._tick()
        end = self.now + float(self._rng.lognormal(np.log(MEAN_S) - SPREAD**2 / 2, SPREAD))
        heapq.heappush(self._ends, (end, key, item))
        self._spans.append((self.now, end))

    def wait(self) -> list[tuple[int, Outcome]]:
        self._tick()
        end, key, item = heapq.heappop(self._ends)
        self.now = max(self.now, end)
        return [(key, Done(self._value(item)))]

    def close(self) -> None:
        """There is nothing to end."""

    def _tick(self) -> None:
        """Advance the clock by the driver's processor time since the last call."""
        self._driver, before = time.process_time(), self._driver
        self.now += self._driver - before

    def busy(self) -> tuple[float, float]:
        """Share of the workers' time spent on evaluations: until the last one starts, and until all have ended."""
        start, end = np.array(self._spans).T
        shares = [
            float((np.minimum(end, until) - start).sum() / (until * self._workers)) for until in (start[-1], end.max())
        ]
        return shares[0], shares[1]


def searches(
    problem: Problem, seed: int, evaluations: int, workers: int
) -> tuple[SearchResult, SearchResult, Simulated, Simulated]:
    """Results of the asynchronous and the synchronous search, and their workers."""
    (accuracy,) = (problem.metrics[name] for name in problem.slow)
    freely, batched = (Simulated(workers, seed, lambda row: float(accuracy(row[None])[0])) for _ in range(2))

    def as_finished(rows: Iterator[Population | None]) -> Iterator[tuple[Population, float]]:
        for _, row, outcome in freely.as_finished(rows):
            assert isinstance(outcome, Done)
            yield row, outcome.value

    def whole(x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        values = [outcome.value for outcome in batched.in_order(list(x)) if isinstance(outcome, Done)]
        return {**{name: fn(x) for name, fn in problem.known.items()}, problem.slow[0]: np.array(values)}

    options = SearchOptions(evaluations, seed, at_once=workers)
    found = drive_freely(linas(problem, options), as_finished)
    return found, run_search(problem, "linas", evaluations=evaluations, seed=seed, evaluate=whole), freely, batched


def main() -> None:
    """Print a line per seed, and their means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed, to run them in pieces")
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument("--workers", type=int, default=WORKERS)
    options = parser.parse_args()
    space = get_space("ofa_mbv3_w1.0").restrict(r=224)
    accuracy = get_predictor(None, get_space("ofa_mbv3_w1.0"))
    objectives = [Objective("top1", "%", True, accuracy.predict), Objective("macs", "", False, macs_cost(space))]
    problem = Problem(space, objectives, slow=["top1"])

    def volume(found: SearchResult) -> float:
        return hypervolume(problem.costs(found.values), [-REFERENCE[0], REFERENCE[1]])

    rows = []
    print("seed  busy %  in all %  sync %  hypervolume, % of sync")
    for seed in range(options.first, options.first + options.seeds):
        free, batch, freely, batched = searches(problem, seed, options.evaluations, options.workers)
        assert free.evaluations == batch.evaluations == options.evaluations
        rows.append(
            [
                100 * freely.busy()[0],
                100 * freely.busy()[1],
                100 * batched.busy()[1],
                100 * volume(free) / volume(batch),
            ]
        )
        print(f"{seed:4}  {rows[-1][0]:6.1f}  {rows[-1][1]:8.1f}  {rows[-1][2]:6.1f}  {rows[-1][3]:.2f}", flush=True)
    mean, worst = np.mean(rows, axis=0), np.min(rows, axis=0)
    print(f"mean  {mean[0]:6.1f}  {mean[1]:8.1f}  {mean[2]:6.1f}  {mean[3]:.2f}")
    print(f"worst {worst[0]:6.1f}  {worst[1]:8.1f}  {worst[2]:6.1f}  {worst[3]:.2f}")


if __name__ == "__main__":
    main()
