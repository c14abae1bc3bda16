"""The default search with and without chains that follow first-order effects.

Without them the predictor hides its effects, so that all evaluations go to the local search.

    python -m benchmarks.chains --seeds 2

Problems: OFA's Note10 problem (if its files are there), and the predictor that ships, with this project's CPU table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import DATA
from benchmarks.note10 import load
from hwnas.search import Problem, hypervolume, run_search
from hwnas.study import Study

TABLE = str(Path(__file__).parent / "tables" / "amd-epyc-avx512-cpu-t1-b1")

BUDGETS_MS = {
    "OFA's network, Note10": (15.0, 20.0, 25.0, 30.0, 40.0),
    "the one that ships, CPU": (2.0, 3.0, 4.0, 5.0, 6.0),
}
"""The best top-1 is printed for each; the last one bounds the search."""

FLOOR = 70.0
"""Top-1 (%) of the hypervolume's reference point; its latency is the last budget."""


def problems(data: Path) -> Iterator[tuple[str, Problem]]:
    """Names and problems: top-1 against latency under the last budget."""
    note10, ships = BUDGETS_MS
    if (data / "ofa_tutorial").is_dir():
        yield note10, load(data).problem(BUDGETS_MS[note10][-1])
    limits = {"latency": f"{BUDGETS_MS[ships][-1]}ms"}
    yield ships, Study("ofa_mbv3_w1.0", ["top1", "latency"], limits, TABLE, as_is=True).problem


def without_effects(problem: Problem) -> Problem:
    """The same problem, with an accuracy that has no effects."""
    accuracy, latency = problem.objectives
    plain = replace(accuracy, fn=lambda x: accuracy.fn(x))  # noqa: PLW0108 - a plain function has no effects
    return replace(problem, objectives=(plain, latency))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    for name, problem in problems(options.data):
        budgets = BUDGETS_MS[name]
        print(f"{name}: best top-1 (%) at {', '.join(f'{b:g}' for b in budgets)} ms; hypervolume; seconds; subnets")
        for seed in range(options.seeds):
            for how, made in (("with chains", problem), ("without", without_effects(problem))):
                start = time.process_time()
                found = run_search(made, seed=seed)
                seconds = time.process_time() - start
                top1, ms = (found.values[o.name] for o in made.objectives)
                best = ", ".join(f"{top1[ms <= b].max():.3f}" for b in budgets)
                volume = hypervolume(np.stack([top1, ms], axis=1), (FLOOR, budgets[-1]), (True, False))
                print(
                    f"  seed {seed}, {how:<11}: {best}; {volume:.4f}; {seconds:.1f} s; {found.evaluations:,}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
