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

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import baselines, dynast_oracle
from benchmarks.oracle import KINDS, REFERENCE, Oracle, volume
from hwnas.predictor import new_predictor
from hwnas.search import Fit, LinasOptions, Objective, Problem, linas, run_search, with_prior
from hwnas.space import Population

EVALUATIONS = 500
CHECKPOINTS = (50, 100, 125, 200, 300, 500)
SHARES = (0.95, 0.98, 0.99)
BEST_SEEDS = 3
COLUMNS = ["oracle", "fingerprint", "method", "seed", "evaluation", "top1", "mmacs", "overhead_s"]

Method = Callable[[Oracle, int], Population]
"""Oracle and seed to the rows that were evaluated, in order; repeats count, as they cost an evaluation."""


def _ours(*, warm: bool = False, **settings: Any) -> Method:
    def run(oracle: Oracle, seed: int) -> Population:
        rows: list[Population] = []

        def top1(x: Population) -> NDArray[np.float64]:
            rows.append(x)
            return oracle.top1(x)

        objectives = [Objective("top1", "%", True, top1), Objective("macs", "", False, oracle.macs)]
        options = LinasOptions(evaluations=EVALUATIONS, seed=seed, **settings)
        fit: Fit = new_predictor("gp", oracle.space).fit
        fit = with_prior(fit, oracle.measured_at_192()) if warm else fit
        linas(Problem(oracle.space, objectives), ["top1"], fit, options)
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
    "linas_warm": _ours(warm=True),
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
    start = time.process_time()  # of this process alone: the machine may be busy
    rows = METHODS[method](oracle, seed)[:EVALUATIONS]
    seconds = time.process_time() - start
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
    print(f"{oracle.kind} {method} seed {seed}: {marks}  ({seconds:.0f} s of CPU)", flush=True)


def curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n,)`` hypervolume after each of ``(n, 2)`` evaluations in order."""
    volumes, front = np.zeros(len(points)), np.zeros((0, 2))
    for i, point in enumerate(points):
        if not ((front[:, 0] >= point[0]) & (front[:, 1] <= point[1])).any():
            kept = ~((front[:, 0] <= point[0]) & (front[:, 1] >= point[1]))
            front = np.concatenate([front[kept], point[None]])
        volumes[i] = volume(front)
    return volumes


def curves(path: Path, oracle: Oracle) -> dict[str, NDArray[np.float64]]:
    """``(seeds, EVALUATIONS)`` hypervolumes of each method; a search that ended early keeps its last."""
    frame = pd.read_csv(path)
    frame = frame[(frame["oracle"] == oracle.kind) & (frame["fingerprint"] == oracle.fingerprint)]
    found: dict[str, list[NDArray[np.float64]]] = {}
    for (method, _), run in frame.groupby(["method", "seed"]):
        volumes = curve(run.sort_values("evaluation")[["top1", "mmacs"]].to_numpy())
        padded = np.pad(volumes, (0, max(EVALUATIONS - len(volumes), 0)), mode="edge")[:EVALUATIONS]
        found.setdefault(str(method), []).append(padded)
    ordered = [m for m in METHODS if m in found]
    return {method: np.stack(found[method]) for method in ordered}


def best_known(path: Path, oracle: Oracle) -> float:
    """Hypervolume of the union of long searches on the oracle itself and of all recorded runs; kept beside the CSV."""
    cache = path.with_name(f"{path.stem}_best_{oracle.kind}_{oracle.fingerprint}.csv")
    if not cache.exists():
        problem = Problem(
            oracle.space,
            [Objective("top1", "%", True, oracle.top1), Objective("mmacs", "", False, lambda x: oracle.macs(x) / 1e6)],
        )
        results = [run_search(problem, "nsga2", seed=seed) for seed in range(BEST_SEEDS)]
        pd.concat([pd.DataFrame(r.values) for r in results]).to_csv(cache, index=False, float_format="%.5f")
    frames = [pd.read_csv(cache)]
    if path.exists():
        runs = pd.read_csv(path)
        frames.append(runs[runs["fingerprint"] == oracle.fingerprint])
    return volume(pd.concat(frames)[["top1", "mmacs"]].to_numpy())


def report(path: Path, oracle: Oracle) -> None:
    """Print the table and draw the picture beside the CSV."""
    best, found = best_known(path, oracle), curves(path, oracle)
    print(f"hypervolume above {REFERENCE[0]:g} %, {REFERENCE[1]:g} M MACs; oracle {oracle.kind}; best known {best:.0f}")
    shares = "".join(f"{f'{share:.0%}':>7}" for share in SHARES)
    print(f"{'method':<16}{'seeds':>6}" + "".join(f"{f'@{k}':>12}" for k in CHECKPOINTS) + "   evaluations to" + shares)
    for method, volumes in found.items():
        cells = "".join(f"{volumes[:, k - 1].mean():>7.0f} ±{volumes[:, k - 1].std():<3.0f}" for k in CHECKPOINTS)
        reached = "".join(f"{_median_to(volumes, share * best):>7}" for share in SHARES)
        print(f"{method:<16}{len(volumes):>6} {cells}{'':>17}{reached}")
    if {"linas", "dynast_linas"} <= set(found):
        level = float(found["dynast_linas"][:, -1].mean())
        needed = [int(np.argmax(v >= level)) + 1 if v[-1] >= level else None for v in found["linas"]]
        print(f"linas reaches the mean of dynast_linas at {EVALUATIONS} ({level:.0f}) after {needed} evaluations")
    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    for method, volumes in found.items():
        x = np.arange(1, EVALUATIONS + 1)
        (line,) = axes.plot(x, volumes.mean(axis=0), label=f"{method} ({len(volumes)})")
        axes.fill_between(x, volumes.min(axis=0), volumes.max(axis=0), color=line.get_color(), alpha=0.15, lw=0)
    axes.axhline(best, color="black", lw=0.8, ls=":", label="best known")
    axes.set(xlabel="evaluations", ylabel="hypervolume (points x M MACs)", ylim=(0.75 * best, 1.01 * best))
    axes.set_title(f"oracle {oracle.kind}: mean and range over seeds")
    axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path.with_name(f"{path.stem}_{oracle.kind}.png"), dpi=130)


def _median_to(volumes: NDArray[np.float64], level: float) -> str:
    """Median over seeds of the evaluations needed to reach a level, if most seeds do."""
    needed = [int(np.argmax(v >= level)) + 1 if v[-1] >= level else np.inf for v in volumes]
    median = float(np.median(needed))
    return "-" if np.isinf(median) else f"{median:.0f}"


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
    if options.action == "report":
        report(options.out, oracle)
        return
    finished = done(options.out, oracle)
    for seed in range(options.seeds):
        for method in options.methods:
            if (method, seed) not in finished:
                run_one(oracle, method, seed, options.out)


if __name__ == "__main__":
    main()
