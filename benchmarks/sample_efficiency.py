"""Quality of a front after few real evaluations: hwnas against DyNAS-T's own code, on one oracle.

    python -m benchmarks.sample_efficiency run --methods linas dynast_linas --seeds 10
    python -m benchmarks.sample_efficiency report

``run`` appends every finished search to a tidy CSV (one row per evaluation) and skips searches that are there. So it can be stopped
and restarted, and several processes can run different methods. Searchers of other libraries need
``pip install 'hwnas[benchmarks]'``, and minutes per search:

    python -m benchmarks.sample_efficiency run --oracle mlp --evaluations 100 --methods optuna_gp --seeds 3
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console

from benchmarks import DATA, dynast_oracle, peers
from benchmarks.oracle import KINDS, REFERENCE, Oracle, volume
from hwnas.predictor import new_predictor
from hwnas.report import Curves, curves_table, save_curves, thinned
from hwnas.search import (
    SEARCHERS,
    Fit,
    Maker,
    Objective,
    Problem,
    SearchOptions,
    Yardstick,
    linas,
    run_search,
    run_trial,
    with_prior,
)
from hwnas.space import Population

EVALUATIONS = 500
CHECKPOINTS = (50, 100, 125, 200, 300, 500)
BEST_SEEDS = 3
COLUMNS = ["oracle", "fingerprint", "method", "seed", "evaluation", "top1", "mmacs", "overhead_s"]


Method = Callable[[Problem, SearchOptions], Population]
"""Runs a search; returns ``(n, g)`` evaluated rows in order."""


def _searcher(make: Maker) -> Method:
    return lambda problem, options: run_trial("", make(problem, options)).x


def _seeded(problem: Problem, options: SearchOptions) -> Population:
    """LINAS, started from 20 subnets of the front predicted by the measurements at 192 px."""
    return run_trial("", linas(problem, replace(options, start=SEED_ARCHS[-1]))).x


SEED_ARCHS: list[Population] = []
"""Filled before a method that needs them runs."""


def _front_at_192(oracle: Oracle) -> Population:
    """Twenty evenly spaced subnets of the front predicted by the measurements at 192 px."""
    top1 = Objective("top1", "%", True, oracle.measured_at_192())
    found = run_search(Problem(oracle.space, [top1, Objective("macs", "", False, oracle.macs)]), "nsga2").x
    return found[thinned(len(found), 20)]


def _dynast(tactic: str) -> Method:
    def run(problem: Problem, options: SearchOptions) -> Population:
        top1, mmacs = problem.metrics["top1"], problem.metrics["mmacs"]
        x = dynast_oracle.run(
            tactic, problem.space, lambda x: (top1(x), 1e6 * mmacs(x)), options.evaluations, options.seed
        )
        return problem.space.canonical(x)

    return run


METHODS: dict[str, Method] = {
    "linas": _searcher(linas),
    "linas_batch20": _searcher(partial(linas, batch=20)),
    "linas_warm": _searcher(linas),
    "linas_seeded": _seeded,
    "linas_warm_seeded": _seeded,
    "linas_published": _searcher(partial(linas, tactic="published", start=50, batch=50)),
    **{name: _searcher(SEARCHERS[name]) for name in ("nsga2", "evolution", "random")},
    "dynast_linas": _dynast("LINAS"),
    "dynast_nsga2": _dynast("Evolutionary"),
    "dynast_random": _dynast("RandomSearch"),
    "optuna_tpe": peers.optuna("TPESampler"),
    "optuna_nsga2": peers.optuna("NSGAIISampler"),
    "optuna_gp": peers.optuna("GPSampler"),
    "botorch_qlognehvi": peers.botorch,
}


def problem_of(oracle: Oracle) -> Problem:
    mmacs = Objective("mmacs", "M", False, lambda x: oracle.macs(x) / 1e6)
    return Problem(oracle.space, [Objective("top1", "%", True, oracle.top1), mmacs], slow=["top1"])


def recorded(path: Path, oracle: Oracle) -> pd.DataFrame:
    """The rows of the CSV for this oracle; if a method and seed ran twice, the later run's."""
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.read_csv(path)
    mine = frame[(frame["oracle"] == oracle.kind) & (frame["fingerprint"] == oracle.fingerprint)]
    return mine.drop_duplicates(["method", "seed", "evaluation"], keep="last")


def done(path: Path, oracle: Oracle, evaluations: int) -> set[tuple[str, int]]:
    """Methods and seeds in the CSV for this oracle, with at least ``evaluations`` evaluations."""
    longest = recorded(path, oracle).groupby(["method", "seed"])["evaluation"].max()
    return set(longest[longest >= evaluations].index)


def run_one(oracle: Oracle, method: str, seed: int, evaluations: int, path: Path) -> None:
    """Run a search and append its evaluations, in one write."""
    start = time.process_time()  # not wall time: the machine may be busy
    fit: Fit = lambda x, y: new_predictor("gp", oracle.space).fit(x, y)
    fit = with_prior(fit, oracle.measured_at_192()) if "warm" in method else fit
    if "seeded" in method and not SEED_ARCHS:
        SEED_ARCHS.append(_front_at_192(oracle))
    rows = METHODS[method](problem_of(oracle), SearchOptions(evaluations, seed, fit=fit))[:evaluations]
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
    marks = "  ".join(f"{volume(points[:k]):.0f}@{k}" for k in CHECKPOINTS if k <= len(points))
    print(f"{oracle.kind} {method} seed {seed}: {marks}  ({seconds:.0f} s of CPU)", flush=True)


def volumes_of(runs: pd.DataFrame, oracle: Oracle, best: float) -> dict[str, list[NDArray[np.float64]]]:
    """For each method and seed, the hypervolume after each evaluation."""
    yardstick = Yardstick(problem_of(oracle), np.array([-REFERENCE[0], REFERENCE[1]]), best)
    found: dict[str, list[NDArray[np.float64]]] = {method: [] for method in METHODS}
    for (method, _), run in runs.groupby(["method", "seed"]):
        points = run.sort_values("evaluation")[["top1", "mmacs"]].to_numpy()
        found[str(method)].append(yardstick.volumes(points * (-1, 1), np.ones(len(points), dtype=bool)))
    return {method: volumes for method, volumes in found.items() if volumes}


def best_known(path: Path, oracle: Oracle) -> float:
    """Hypervolume of the union of long searches on the oracle (kept beside the CSV) and all recorded runs."""
    cache = path.with_name(f"{path.stem}_best_{oracle.kind}_{oracle.fingerprint}.csv")
    if not cache.exists():
        problem = replace(problem_of(oracle), slow=())
        results = [run_search(problem, "nsga2", seed=seed) for seed in range(BEST_SEEDS)]
        pd.concat([pd.DataFrame(r.values) for r in results]).to_csv(cache, index=False, float_format="%.5f")
    frames = [pd.read_csv(cache)]
    if path.exists():
        runs = pd.read_csv(path)
        frames.append(runs[runs["fingerprint"] == oracle.fingerprint])
    return volume(pd.concat(frames)[["top1", "mmacs"]].to_numpy())


def report(path: Path, oracle: Oracle) -> None:
    """Print the tables, and draw the picture beside the CSV."""
    best, runs = best_known(path, oracle), recorded(path, oracle)
    volumes = volumes_of(runs, oracle, best)
    per_run = runs.groupby(["method", "seed"])["overhead_s"].agg(["max", "size"])
    seconds = (per_run["max"] / per_run["size"]).groupby("method").median()
    print(f"hypervolume above {REFERENCE[0]:g} %, {REFERENCE[1]:g} M MACs; oracle {oracle.kind}; best known {best:.0f}")
    print("median (worst..best) after so many evaluations; processor time of the searcher per evaluation")
    print(f"{'method':<18}{'seeds':>6}" + "".join(f"{f'@{k}':>20}" for k in CHECKPOINTS) + f"{'s':>8}")
    for method, found in volumes.items():
        cells = "".join(f"{_spread([v[k - 1] for v in found if len(v) >= k]):>20}" for k in CHECKPOINTS)
        print(f"{method:<18}{len(found):>6}{cells}{seconds[method]:>8.3f}")
    longest = max(len(v) for found in volumes.values() for v in found)
    whole = {method: found for method, found in volumes.items() if min(map(len, found)) == longest}
    compared = Curves.of(whole, best, "best known", longest)
    Console(width=140).print(curves_table(compared, [k for k in CHECKPOINTS if k <= longest]))
    if {"linas", "dynast_linas"} <= set(whole):
        level = float(compared.volumes["dynast_linas"][:, -1].mean())
        needed = sorted(compared.needed("linas", level / compared.best).tolist())
        print(f"linas reaches the mean of dynast_linas at {longest} ({level:.0f}) after {needed} evaluations")
    title = f"{len(whole)} searchers on the {oracle.kind} oracle"
    save_curves(compared, path.with_name(f"{path.stem}_{oracle.kind}.png"), title, "mean, worst to best seed")


def _spread(values: list[float]) -> str:
    return f"{np.median(values):.0f} ({min(values):.0f}..{max(values):.0f})" if values else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS)
    parser.add_argument("--oracle", choices=KINDS, default="gp")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("build/sample_efficiency.csv"))
    options = parser.parse_args()
    oracle = Oracle(options.data, options.oracle)
    if options.action == "report":
        report(options.out, oracle)
        return
    finished = done(options.out, oracle, options.evaluations)
    for seed in range(options.seeds):
        for method in options.methods:
            if (method, seed) not in finished:
                run_one(oracle, method, seed, options.evaluations, options.out)


if __name__ == "__main__":
    main()
