"""Searchers on NAS-Bench-201, where every value is looked up in a table.

    python -m benchmarks.nasbench201 --seeds 20

The runs of ``hwnas bench``: accuracy against latency on one device. Searchers see CIFAR-10 validation accuracy (200 epochs).
Besides the share of the exact front's hypervolume, reports the test accuracy of the cell with the best validation accuracy, and
its gain over the average random cell in percent, as proposed in "NAS evaluation is frustratingly hard" (Yang et al. 2020).
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks import DATA
from hwnas.io import read_subnet_table
from hwnas.predictor import new_predictor
from hwnas.report import Curves, curves_table
from hwnas.search import (
    SEARCHERS,
    Lookup,
    Maker,
    Objective,
    Problem,
    SearchOptions,
    Yardstick,
    best_known,
    linas,
    run_trial,
)
from hwnas.space import nasbench201

EVALUATIONS = 300
CHECKPOINTS = (50, 100, 200, 300)
ACCURACY_FLOOR = 80.0
"""Reference accuracy of the hypervolume, in %: a tenth of the cells do not train at all."""

METHODS: dict[str, Maker] = {
    "linas": linas,
    "linas_published": partial(linas, start=50, batch=50, tactic="published"),
    **{name: SEARCHERS[name] for name in ("nsga2", "evolution", "random")},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--device", default="raspi4", help="column of latency_ms.csv.gz")
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    space = nasbench201()
    files = [options.data / "nasbench201" / name for name in ("accuracy.csv.gz", "latency_ms.csv.gz")]
    table = read_subnet_table(files, space, {})
    x, columns = table.x, table.columns
    look_up = {name: Lookup(space, x, columns[name], name) for name in columns}
    valid, test, latency = (look_up[name] for name in ("c10_valid_200ep", "c10_test_200ep", options.device))
    problem = Problem(
        space,
        [
            # Cut off at the hypervolume's reference: how badly a cell fails says nothing about good cells.
            Objective("accuracy", "%", True, lambda x: np.maximum(valid(x), ACCURACY_FLOOR)),
            Objective("latency_ms", "ms", False, latency),
        ],
        slow=["accuracy"],
    )
    corner = np.array([-ACCURACY_FLOOR, float(columns[options.device].max())])
    yardstick = Yardstick.of(problem, best_known(problem)[0], corner)
    average, fit = float(columns["c10_test_200ep"].mean()), lambda x, y: new_predictor("gp", space).fit(x, y)
    print(f"best test accuracy of all cells {columns['c10_test_200ep'].max():.2f} %, of a random cell {average:.2f} %")
    runs, ends = {}, []
    for name, make in METHODS.items():
        trials = [
            run_trial(name, make(problem, SearchOptions(EVALUATIONS, seed, fit=fit))) for seed in range(options.seeds)
        ]
        runs[name] = [yardstick.curve(trial.x) for trial in trials]
        found = np.array([float(test(t.x[[valid(t.x).argmax()]])[0]) for t in trials])
        gain = 100 * (found.mean() - average) / average
        ends.append(f"{name:<16} test top-1 {found.mean():.2f} ±{found.std():.2f} %, gain {gain:.2f} %")
        print(ends[-1], flush=True)
    Console(width=120).print(curves_table(Curves.of(runs, yardstick.best, "exact", EVALUATIONS), CHECKPOINTS))


if __name__ == "__main__":
    main()
