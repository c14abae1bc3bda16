"""Fronts from noisy accuracies: by the measured values, and by the expectation of a Gaussian process fitted to them.

    python -m benchmarks.noisy_accuracy --oracle mlp --seeds 8

LINAS searches an oracle with noise, which is always the same for one subnet, like an accuracy measured on a few hundred images.
After 40 and 100 evaluations the two fronts are judged by the oracle without noise: by their hypervolume, as in
``benchmarks.sample_efficiency``, and by how much their accuracies are overestimated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import DATA
from benchmarks.oracle import KINDS, Oracle, volume
from hwnas.search import Objective, Problem, SearchOptions, gaussian_process, linas, non_dominated, run_trial
from hwnas.space import Population

NOISE = (0.0, 0.2, 0.5, 1.0)
EVALUATIONS = (40, 100)

Vector = NDArray[np.float64]


def noise(x: Population, seed: int) -> Vector:
    """``(n,)`` standard normal numbers, each a function of the subnet and the seed."""
    return np.array([np.random.default_rng([seed, *row.astype(int)]).standard_normal() for row in x])


def judged(oracle: Oracle, x: Population, values: Vector) -> tuple[float, float]:
    """True hypervolume of the front by the ``(n,)`` values, and the mean error of the front's values."""
    front = non_dominated(np.stack([-values, oracle.macs(x)], axis=1), distinct=True)
    return volume(oracle.points(x[front])), float((values - oracle.top1(x))[front].mean())


def searched(oracle: Oracle, deviation: float, seed: int) -> list[tuple[float, float]]:
    """For each number of evaluations, the front by measured and then by expected values; see :func:`judged`."""

    def measured(x: Population) -> Vector:
        return oracle.top1(x) + deviation * noise(oracle.space.canonical(x), seed)

    mmacs = Objective("mmacs", "M", False, lambda x: oracle.macs(x) / 1e6)
    problem = Problem(oracle.space, [Objective("top1", "%", True, measured), mmacs], slow=["top1"])
    fit = gaussian_process(oracle.space, lambda x: np.full(len(x), deviation) if deviation else None)
    trial = run_trial("linas", linas(problem, SearchOptions(EVALUATIONS[-1], seed, fit=fit)))
    found = []
    for k in EVALUATIONS:
        x, values = trial.x[:k], measured(trial.x[:k])
        found += [judged(oracle, x, values), judged(oracle, x, fit(x, values).predict(x))]
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--oracle", choices=KINDS, default="mlp")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    oracle = Oracle(options.data, options.oracle)
    print("| error, points | evaluations | of what was measured | of what is expected | better with | flatters by |")
    print("|---|---|---|---|---|---|", flush=True)
    for deviation in NOISE:
        runs = np.array([searched(oracle, deviation, seed) for seed in range(options.seeds)])
        for i, k in enumerate(EVALUATIONS):
            noisy, expected = runs[:, 2 * i], runs[:, 2 * i + 1]
            better = f"{(expected[:, 0] > noisy[:, 0]).sum()} of {len(runs)}"
            means = f"{noisy[:, 0].mean():.0f} | {expected[:, 0].mean():.0f} | {better}"
            print(
                f"| {deviation} | {k} | {means} | {noisy[:, 1].mean():.2f}, {expected[:, 1].mean():.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
