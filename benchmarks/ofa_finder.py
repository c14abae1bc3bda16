"""The whole front in one run, against OFA's EvolutionFinder, which searches for one budget at a time.

    python -m benchmarks.ofa_finder

Both use the Note10 latency table and the accuracy predictor of OFA's tutorial, on the same machine, one after the other. All
accuracies are computed by OFA's code, also those of hwnas's subnets.
"""

from __future__ import annotations

import contextlib
import io
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.note10 import Note10, arguments, load
from hwnas.search import run_search
from tests.parity import upstream

BEST_KNOWN = {15.0: 78.80, 20.0: 80.79, 25.0: 82.22, 30.0: 83.19, 40.0: 84.23}
"""Best top-1 (%) known for each budget (ms) before hwnas."""


@dataclass(frozen=True)
class Runs:
    """``top1`` (seeds, budgets) in %; ``wall_s`` of each search; evaluations ``per_second``."""

    top1: NDArray[np.float64]
    wall_s: NDArray[np.float64]
    per_second: float


class Upstream:
    """OFA's estimator, predictor and finder."""

    def __init__(self, setting: Note10) -> None:
        self.latency = upstream.note10_table(setting.folder / "note10")
        self.accuracy = upstream.accuracy_predictor(setting.folder / "acc_predictor.pth")
        self.scored = 0

    def predict_accuracy(self, population: list[object]) -> object:
        self.scored += len(population)
        return self.accuracy.predict_accuracy(population)

    def search(self, budget_ms: float, seed: int, iterations: int) -> tuple[float, float]:
        """Best top-1 (%) under the budget, and the seconds it took."""
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002, upstream draws from the global generator
        finder = upstream.evolution_finder(
            budget_ms, self.latency, self, population_size=100, max_time_budget=iterations
        )
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            _, (top1, _, latency_ms) = finder.run_evolution_search()
        wall_s = time.perf_counter() - started
        if latency_ms > budget_ms:
            raise AssertionError
        return 100 * top1, wall_s


def run_upstream(setting: Note10, seeds: int, iterations: int) -> Runs:
    theirs = Upstream(setting)
    found = []
    for seed in range(seeds):
        found.append([theirs.search(budget, seed, iterations) for budget in BEST_KNOWN])
        _progress("OFA", seed, [t for t, _ in found[-1]], sum(s for _, s in found[-1]))
    both = np.array(found)
    return Runs(both[..., 0], both[..., 1].ravel(), theirs.scored / both[..., 1].sum())


def run_ours(setting: Note10, seeds: int) -> Runs:
    """One search per seed, for the largest budget; its front has the answers for smaller budgets."""
    theirs = Upstream(setting)
    top1, wall_s, evaluations = [], [], 0
    for seed in range(seeds):
        started = time.perf_counter()
        result = run_search(setting.problem(max(BEST_KNOWN)), seed=seed)
        wall_s.append(time.perf_counter() - started)
        evaluations += result.evaluations
        latency = result.values["latency_ms"]
        within = [np.flatnonzero(latency <= budget) for budget in BEST_KNOWN]
        best = [i[result.values["top1"][i].argmax()] for i in within]
        specs = [upstream.tutorial_spec(setting.space.decode(result.x[i])) for i in best]
        for spec, budget in zip(specs, BEST_KNOWN, strict=True):
            if theirs.latency.predict_efficiency(spec) > budget + 1e-9:
                raise AssertionError
        top1.append(100 * theirs.accuracy.predict_accuracy(specs).numpy()[:, 0].astype(float))
        _progress("hwnas", seed, top1[-1], wall_s[-1])
    return Runs(np.array(top1), np.array(wall_s), evaluations / sum(wall_s))


def _progress(who: str, seed: int, top1: Sequence[float] | NDArray[np.float64], wall_s: float) -> None:
    print(f"{who} seed {seed}: {', '.join(f'{t:.3f}' for t in top1)} in {wall_s:.1f} s", file=sys.stderr, flush=True)


def report(ours: Runs, theirs: Runs) -> None:
    print(f"{'top-1 (%) under a budget of':<34}" + "".join(f"{b:>19g} ms" for b in BEST_KNOWN))
    for name, runs in (("OFA EvolutionFinder, run per budget", theirs), ("hwnas nsga2, one run for all", ours)):
        cells = [f"{np.median(t):.2f} ({t.min():.2f}..{t.max():.2f})" for t in runs.top1.T]
        print(f"{name:<36}" + "".join(f"{c:>22}" for c in cells))
    known = np.array(list(BEST_KNOWN.values()))
    worst, best = ours.top1.min(axis=0), ours.top1.max(axis=0)
    print(
        f"{'hwnas against the best known':<36}"
        + "".join(f"{f'{a:+.3f}..{b:+.3f}':>22}" for a, b in zip(worst - known, best - known, strict=True))
    )
    wins = [
        "win" if low >= high else "loss" if top < high else "mixed"
        for low, top, high in zip(worst, best, theirs.top1.max(axis=0), strict=True)
    ]
    print(f"{'worst hwnas seed, best OFA seed':<36}" + "".join(f"{w:>22}" for w in wins))
    their_s, our_s = float(np.median(theirs.wall_s)), float(np.median(ours.wall_s))
    print(
        f"wall time: OFA {their_s:.1f} s per budget ({theirs.wall_s.min():.1f}..{theirs.wall_s.max():.1f}), "
        f"hwnas {our_s:.1f} s for the front ({ours.wall_s.min():.1f}..{ours.wall_s.max():.1f}): "
        f"{their_s / our_s:.1f} times less for all budgets together than OFA needs for one"
    )
    print(f"evaluations per second: OFA {theirs.per_second:,.0f}, hwnas {ours.per_second:,.0f}")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="of ours")
    parser.add_argument("--ofa-seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=500, help="of OFA's finder")
    options = parser.parse_args()
    setting = load(options.data)
    ours = run_ours(setting, options.seeds)
    report(ours, run_upstream(setting, options.ofa_seeds, options.iterations))


if __name__ == "__main__":
    main()
