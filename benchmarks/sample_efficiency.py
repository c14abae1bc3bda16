"""How good a front is after few real evaluations: hwnas against DyNAS-T's own code, on one oracle.

    python -m benchmarks.sample_efficiency run --methods linas dynast_linas --seeds 10
    python -m benchmarks.sample_efficiency report

``run`` appends every finished search to a tidy CSV (one row per evaluation) and skips what is there
already, so it may be stopped and started again, and may run twice side by side with different methods.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import baselines, dynast_oracle
from benchmarks.oracle import KINDS, Oracle, volume
from hwnas.predictor import new_predictor
from hwnas.search import LinasOptions, Objective, Problem, linas
from hwnas.space import Population

EVALUATIONS = 500
CHECKPOINTS = (50, 100, 125, 200, 300, 500)
SHARES = (0.95, 0.98, 0.99)
COLUMNS = ["oracle", "fingerprint", "method", "seed", "evaluation", "top1", "mmacs", "overhead_s"]

Method = Callable[[Oracle, int], Population]
"""Oracle and seed to the rows that were evaluated, in order; repeats count, as they cost an evaluation."""


def _ours(**settings: Any) -> Method:
    def run(oracle: Oracle, seed: int) -> Population:
        rows: list[Population] = []

        def top1(x: Population) -> NDArray[np.float64]:
            rows.append(x)
            return oracle.top1(x)

        objectives = [Objective("top1", "%", True, top1), Objective("macs", "", False, oracle.macs)]
        options = LinasOptions(evaluations=EVALUATIONS, seed=seed, **settings)
        linas(Problem(oracle.space, objectives), ["top1"], new_predictor("gp", oracle.space).fit, options)
        return np.concatenate(rows)

    return run


def _baseline(search: Callable[..., Population]) -> Method:
    return lambda oracle, seed: search(oracle.space, oracle.points, EVALUATIONS, seed)


def _dynast(tactic: str) -> Method:
    def run(oracle: Oracle, seed: int) -> Population:
        return dynast_oracle.run(tactic, oracle.space, lambda x: (oracle.top1(x), oracle.macs(x)), EVALUATIONS, seed)

    return run


METHODS: dict[str, Method] = {
    "linas": _ours(),
    "linas_batch20": _ours(batch=20),
    "linas_published": _ours(tactic="published", start=50, batch=50),
    "nsga2": _baseline(baselines.nsga2),
    "evolution": _baseline(baselines.evolution),
    "random": _baseline(baselines.random),
    "dynast_linas": _dynast("LINAS"),
    "dynast_nsga2": _dynast("Evolutionary"),
    "dynast_random": _dynast("RandomSearch"),
}


def done(path: Path, oracle: Oracle) -> set[tuple[str, int]]:
    """Methods and seeds that the CSV holds for this oracle."""
    if not path.exists():
        return set()
    frame = pd.read_csv(path)
    mine = frame[(frame["oracle"] == oracle.kind) & (frame["fingerprint"] == oracle.fingerprint)]
    return set(mine[["method", "seed"]].drop_duplicates().itertuples(index=False, name=None))


def run_one(oracle: Oracle, method: str, seed: int, path: Path) -> None:
    """Run a search and append its evaluations, in one write."""
    start = time.perf_counter()
    rows = METHODS[method](oracle, seed)[:EVALUATIONS]
    seconds = time.perf_counter() - start
    points = oracle.points(rows)
    frame = pd.DataFrame({"evaluation": np.arange(1, len(rows) + 1), "top1": points[:, 0], "mmacs": points[:, 1]})
    frame = frame.assign(oracle=oracle.kind, fingerprint=oracle.fingerprint, method=method, seed=seed)
    frame = frame.assign(overhead_s=round(seconds, 2))[COLUMNS]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = frame.to_csv(index=False, header=not path.exists(), float_format="%.5f")
    with path.open("a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    marks = "  ".join(f"{volume(points[:k]):.0f}@{k}" for k in CHECKPOINTS)
    print(f"{oracle.kind} {method} seed {seed}: {marks}  ({seconds:.0f} s)", flush=True)


def curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n,)`` hypervolume after each of ``(n, 2)`` evaluations in order."""
    volumes, front = np.zeros(len(points)), np.zeros((0, 2))
    for i, point in enumerate(points):
        if not ((front[:, 0] >= point[0]) & (front[:, 1] <= point[1])).any():
            kept = ~((front[:, 0] <= point[0]) & (front[:, 1] >= point[1]))
            front = np.concatenate([front[kept], point[None]])
        volumes[i] = volume(front)
    return volumes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--oracle", choices=KINDS, default="gp")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--out", type=Path, default=Path("build/sample_efficiency.csv"))
    options = parser.parse_args()
    oracle = Oracle(options.data, options.oracle)
    if options.action == "run":
        finished = done(options.out, oracle)
        for seed in range(options.seeds):
            for method in options.methods:
                if (method, seed) not in finished:
                    run_one(oracle, method, seed, options.out)


if __name__ == "__main__":
    main()
