"""Searchers on NAS-Bench-201, where every value is a true look-up.

    python -m benchmarks.nasbench201 --seeds 20

Accuracy against latency on one device; searchers see CIFAR-10 validation accuracy (200 epochs). Reported:
the share of the exact front's hypervolume after so many evaluations, the test accuracy of the cell that is
best in validation, and its gain over the average random cell in percent, as "NAS evaluation is
frustratingly hard" (Yang et al. 2020) asks.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import baselines
from hwnas import records
from hwnas.predictor import new_predictor
from hwnas.search import LinasOptions, Lookup, Objective, Problem, hypervolume, linas
from hwnas.space import Population, nasbench201

EVALUATIONS = 300
CHECKPOINTS = (50, 100, 200, 300)
ACCURACY_FLOOR = 80.0
"""Of the hypervolume, in %: a tenth of the cells fail to train at all."""


class Benchmark:
    def __init__(self, data: Path, device: str) -> None:
        self.space = nasbench201()
        table = records.read_csv(data / "nasbench201" / "accuracy.csv.gz")
        times = records.read_csv(data / "nasbench201" / "latency_ms.csv.gz")
        x = records.read_archs(table, self.space)
        table = table.merge(times, on="arch_idx", validate="1:1")
        names = {"valid": "c10_valid_200ep", "test": "c10_test_200ep", "latency_ms": device}
        columns = {name: table[column].to_numpy(dtype=float) for name, column in names.items()}
        self.x, self.test_values = x, columns["test"]
        self.valid = Lookup(self.space, x, columns["valid"], "valid")
        self.test = Lookup(self.space, x, columns["test"], "test")
        self.latency_ms = Lookup(self.space, x, columns["latency_ms"], "latency_ms")
        self.slowest_ms = float(columns["latency_ms"].max())
        self.best = self.volume(x)

    def points(self, x: Population) -> NDArray[np.float64]:
        return np.stack([self.valid(x), self.latency_ms(x)], axis=1)

    def volume(self, x: Population) -> float:
        return hypervolume(self.points(x), (ACCURACY_FLOOR, self.slowest_ms), (True, False))

    def linas(self, seed: int, **settings: Any) -> Population:
        rows: list[Population] = []

        def accuracy(x: Population) -> NDArray[np.float64]:
            """Cut off where the hypervolume is: how badly a cell fails tells nothing about good ones."""
            rows.append(x)
            return np.maximum(self.valid(x), ACCURACY_FLOOR)

        objectives = [
            Objective("accuracy", "%", True, accuracy),
            Objective("latency_ms", "ms", False, self.latency_ms),
        ]
        options = LinasOptions(evaluations=EVALUATIONS, seed=seed, **settings)
        linas(Problem(self.space, objectives), ["accuracy"], new_predictor("gp", self.space).fit, options)
        return np.concatenate(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--device", default="raspi4", help="column of latency_ms.csv.gz")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    options = parser.parse_args()
    bench = Benchmark(options.data, options.device)
    searchers: dict[str, Callable[[int], Population]] = {
        "linas": bench.linas,
        "linas_published": partial(bench.linas, tactic="published", start=50, batch=50),
        "nsga2": partial(baselines.nsga2, bench.space, bench.points, EVALUATIONS),
        "evolution": partial(baselines.evolution, bench.space, bench.points, EVALUATIONS),
        "random": partial(baselines.random, bench.space, bench.points, EVALUATIONS),
    }
    average = float(bench.test_values.mean())
    print(f"best test accuracy of all cells {bench.test_values.max():.2f} %, of a random cell {average:.2f} %")
    print(f"{'searcher':<17}" + "".join(f"{f'front@{k}':>16}" for k in CHECKPOINTS) + "     test top-1 %    gain %")
    for name, search in searchers.items():
        shares, tests = [], []
        for seed in range(options.seeds):
            rows = search(seed)
            shares.append([100 * bench.volume(rows[:k]) / bench.best for k in CHECKPOINTS])
            tests.append(float(bench.test(rows[[bench.valid(rows).argmax()]])[0]))
        cells = "".join(f"{m:>9.2f} ±{s:<5.2f}" for m, s in zip(np.mean(shares, 0), np.std(shares, 0), strict=True))
        test = np.array(tests)
        gain = 100 * (test.mean() - average) / average
        print(f"{name:<17}{cells}   {test.mean():>6.2f} ±{test.std():<5.2f} {gain:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
