"""Predictors that are told how far measured accuracies err, against the same predictors that take them as exact.

    python -m benchmarks.measured_errors --seeds 20

Random subnets of ``digits`` are measured on some samples. Predictors are fitted to some of the subnets and judged by the accuracies
of the others on samples that took no part: only these tell how good a subnet is. Printed: Kendall's tau, untold and told, with the
standard error of the mean difference, and in how many draws of subnets and samples the told predictor is better.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks.racing import Samples
from hwnas.predictor import new_predictor
from hwnas.space import Population
from hwnas.task import share_errors

SUBNETS, JUDGING = 200, 300

Bools = NDArray[np.bool_]


def taus(kind: str, samples: Samples, x: Population, right: Bools, shape: tuple[int, int], seed: int) -> list[float]:
    """Kendall's tau on unseen subnets and samples: untold, then told. ``shape``: fitted subnets, measured samples."""
    rng = np.random.default_rng(seed)
    n, m = shape
    places, rows = rng.permutation(right.shape[1]), rng.permutation(len(x))
    seen, judge = places[JUDGING:][:m], places[:JUDGING]
    fitted, others = rows[:n], rows[n:]
    measured = 100 * right[fitted][:, seen].mean(axis=1)
    found = []
    for errors in (None, share_errors(measured, m)):
        model = new_predictor(kind, samples.net.space, seed).fit(x[fitted], measured, errors=errors)
        model.extend_coverage(x)
        found.append(float(kendalltau(model.predict(x[others]), right[others][:, judge].mean(axis=1)).statistic))
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=["gp", "ridge", "additive"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--supernet", default="digits")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--calibrate", type=int, default=2000)
    parser.add_argument("--keep", type=Path, default=Path("measured_errors.jsonl"))
    options = parser.parse_args()
    options.test = None
    with ExitStack() as until_done:
        samples = Samples.opened(options, until_done)
        x = np.unique(samples.net.space.sample(2 * SUBNETS, np.random.default_rng(0)), axis=0)
        x = np.random.default_rng(0).permutation(x)[:SUBNETS]
        right = samples.all_seen.of(x) > 0
    print("| kind | subnets | samples | tau, untold | told | difference | better with |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for kind in options.kinds:
        for shape in ((40, 100), (100, 100), (40, 300), (100, 300)):
            runs = np.array([taus(kind, samples, x, right, shape, seed) for seed in range(options.seeds)])
            gain = runs[:, 1] - runs[:, 0]
            spread = gain.std(ddof=1) / np.sqrt(len(gain))
            means = f"{runs[:, 0].mean():.3f} | {runs[:, 1].mean():.3f} | {gain.mean():+.3f} ± {spread:.3f}"
            better = f"{(gain > 0).sum()} of {len(gain)}"
            print(f"| {kind} | {shape[0]} | {shape[1]} | {means} | {better} |", flush=True)


if __name__ == "__main__":
    main()
