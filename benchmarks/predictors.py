"""Predictors fitted to few measured subnets, beside scikit-learn's models on the same features.

    python -m benchmarks.predictors --rows 50,100,200,500,1000 --seeds 5    # about half an hour on one core

Data: measured ImageNet accuracies of OFA-MobileNetV3 w1.0 at 224 px (1,619 distinct subnets). Predictors are fitted to some of
them and tested on all others. Prints tau, RMSE in points, the share of measurements within two predicted standard deviations, and
seconds of fitting with one thread; means over seeds. ``--path OLD/CHECKOUT`` measures an earlier version's predictors in the same
run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Hyperparameter, Kernel, WhiteKernel
from sklearn.linear_model import BayesianRidge

from hwnas.predictor import new_predictor, score
from hwnas.space import Population, SearchSpace, get_space

Vector = NDArray[np.float64]
Fit = Callable[[SearchSpace, Population, Vector], Callable[[Population], tuple[Vector, Vector]]]
"""Fits to rows and values; returns a function that predicts means and standard deviations."""

OURS = ("gp", "ridge", "additive", "mlp")
PARTS = ("one_hot", "totals", "by_stage", "one_hot_by_scale", "by_stage_by_scale")


class Part(Kernel):  # type: ignore[misc]
    """A linear kernel on some columns."""

    def __init__(self, columns: tuple[int, int], variance: float = 0.5) -> None:
        self.columns, self.variance = columns, variance

    @property
    def hyperparameter_variance(self) -> Hyperparameter:
        return Hyperparameter("variance", "numeric", (1e-6, 3e3))

    def __call__(self, a: Any, b: Any = None, eval_gradient: bool = False) -> Any:
        at = slice(*self.columns)
        kernel = self.variance * a[:, at] @ (a if b is None else b)[:, at].T
        return (kernel, kernel[..., None]) if eval_gradient else kernel

    def diag(self, a: Any) -> Any:
        return self.variance * (a[:, slice(*self.columns)] ** 2).sum(axis=1)

    def is_stationary(self) -> bool:
        return False


class Genes(Kernel):  # type: ignore[misc]
    """An RBF kernel on the last columns, with one length scale per group of columns."""

    def __init__(self, first: int, groups: NDArray[np.intp], scales: tuple[float, ...]) -> None:
        self.first, self.groups, self.scales = first, groups, scales

    @property
    def hyperparameter_scales(self) -> Hyperparameter:
        return Hyperparameter("scales", "numeric", (0.1, 400.0), len(self.scales))

    def __call__(self, a: Any, b: Any = None, eval_gradient: bool = False) -> Any:
        a, b = a[:, self.first :], (a if b is None else b)[:, self.first :]
        parts = []
        for g, scale in enumerate(np.asarray(self.scales)):
            p, q = a[:, self.groups == g] / scale, b[:, self.groups == g] / scale
            parts.append(np.maximum((p**2).sum(axis=1)[:, None] + (q**2).sum(axis=1) - 2 * p @ q.T, 0))
        squares = np.stack(parts, axis=-1)
        kernel = np.exp(-0.5 * squares.sum(axis=-1))
        return (kernel, kernel[..., None] * squares) if eval_gradient else kernel

    def diag(self, a: Any) -> Any:
        return np.ones(len(a))

    def is_stationary(self) -> bool:
        return True


def ours(kind: str) -> Fit:
    def fit(space: SearchSpace, x: Population, y: Vector) -> Any:
        model = new_predictor(kind, space).fit(x, y)
        return lambda rows: (model.predict(rows), model.predict_std(rows))

    return fit


def gaussian_process_regressor(space: SearchSpace, x: Population, y: Vector) -> Any:
    """The kernels of ``gp`` in scikit-learn, with hyperparameters by its marginal likelihood."""
    from hwnas.predictor._features import Features  # earlier versions have no such modules
    from hwnas.predictor._scaling import Scaling

    features = Features(space)
    scaling = Scaling.of(features, PARTS, x)
    groups = features.length_groups()
    ends = np.cumsum([0, *scaling.sizes])
    kernel = sum((Part((int(a), int(b))) for a, b in itertools.pairwise(ends[1:]) if a < b), Part((0, int(ends[1]))))
    typical = np.sqrt(np.maximum(features.group_distances(x).mean(axis=(1, 2)), 1e-3) * (groups.max() + 1))
    kernel += ConstantKernel(0.25, (1e-6, 3e3)) * Genes(int(ends[-1]), groups, tuple(typical))
    kernel += WhiteKernel(0.02, (1e-6, 7.0))

    def inputs(rows: Population) -> Any:
        return np.concatenate([scaling(rows), features.ordinal(rows)], axis=1)

    model = GaussianProcessRegressor(kernel, alpha=1e-6, normalize_y=True).fit(inputs(x), y)
    noise = model.kernel_.k2.noise_level * y.var()

    def predict(rows: Population) -> tuple[Vector, Vector]:
        mean, std = model.predict(inputs(rows), return_std=True)
        return mean, np.sqrt(np.maximum(std**2 - noise, 0))

    return predict


def bayesian_ridge(space: SearchSpace, x: Population, y: Vector) -> Any:
    """The features of ``ridge`` with one penalty for all."""
    from hwnas.predictor._features import Features
    from hwnas.predictor._scaling import Scaling

    scaling = Scaling.of(Features(space), PARTS, x)
    model = BayesianRidge().fit(scaling(x), y)
    return lambda rows: model.predict(scaling(rows), return_std=True)


CONTENDERS: dict[str, Fit] = {
    **{kind: ours(kind) for kind in OURS},
    "GaussianProcessRegressor": gaussian_process_regressor,
    "BayesianRidge": bayesian_ridge,
}


def measured(folder: Path) -> tuple[SearchSpace, Population, Vector]:
    """Distinct subnets and the mean measured accuracy of each."""
    from benchmarks.oracle import Oracle  # of the version that is measured

    oracle = Oracle(folder)
    rows, inverse = np.unique(oracle.rows, axis=0, return_inverse=True)
    mean = np.bincount(inverse.reshape(-1), oracle.measured) / np.bincount(inverse.reshape(-1))
    return get_space("ofa_mbv3_w1.0"), rows, mean


def run(names: list[str], sizes: list[int], seeds: int, folder: Path) -> list[dict[str, Any]]:
    space, x, y = measured(folder)
    found = []
    for n in sizes:
        for name in names:
            runs = []
            for seed in range(seeds):
                order = np.random.default_rng(seed).permutation(len(x))
                train, test = order[:n], order[n:]
                start = time.process_time()
                predict = CONTENDERS[name](space, x[train], y[train])
                seconds = time.process_time() - start
                mean, std = predict(x[test])
                scores = score(mean, y[test], std)
                runs.append((scores.tau, scores.rmse, scores.coverage, seconds))
            average, spread = np.mean(runs, axis=0), np.std(runs, axis=0)
            found.append({"rows": n, "model": name, "mean": average.tolist(), "spread": spread.tolist()})
            print(json.dumps(found[-1]), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("HWNAS_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=shared)
    parser.add_argument("--rows", default="50,100,200,500,1000")
    parser.add_argument("--models", default=",".join(CONTENDERS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--path", type=Path, help="checkout of an earlier version, measured as well")
    args = parser.parse_args()
    sizes, names = [int(n) for n in args.rows.split(",")], args.models.split(",")
    tables = {"": run(names, sizes, args.seeds, args.data)}
    if args.path:
        kinds = [name for name in names if name in OURS]
        command = [sys.executable, __file__, "--rows", args.rows, "--models", ",".join(kinds)]
        command += ["--seeds", str(args.seeds), "--data", str(args.data)]
        environment = {**os.environ, "PYTHONPATH": str(args.path)}
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        tables["before: "] = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    print("\n| rows | model | tau | RMSE | within 2 std | fit |\n|---|---|---|---|---|---|")
    lines = [(row["rows"], label + row["model"], row) for label, table in tables.items() for row in table]
    for rows, label, row in sorted(lines, key=lambda line: line[:2]):
        (tau, rmse, coverage, seconds), (d_tau, d_rmse, _, _) = row["mean"], row["spread"]
        print(
            f"| {rows} | {label} | {tau:.4f} ± {d_tau:.4f} | {rmse:.4f} ± {d_rmse:.4f} | {100 * coverage:.0f} % | {seconds:.2f} s |"
        )


if __name__ == "__main__":
    main()
