"""An oracle for searches with few real evaluations: measured ImageNet accuracies, filled in by a model.

The 1,773 measured subnets of OFA-MobileNetV3 w1.0 at 224 px (DyNAS-T's published runs) are too few for a lookup table, so a model
fitted to all of them replaces the supernet. There are two kinds of models, because a searcher whose predictor is of the same kind
as the oracle has an unrealistic advantage:

* ``gp``: Gaussian process, linear in genes and structural features plus RBF (10-fold RMSE 0.053 point);
* ``mlp``: an ensemble of eight small networks on the same features (10-fold RMSE 0.058 point).
"""

from __future__ import annotations

import hashlib
import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPRegressor

from hwnas.io import read_archs, read_csv, read_metric
from hwnas.predictor import new_predictor
from hwnas.search import MetricFunction, hypervolume
from hwnas.space import Population, SearchSpace, get_space, macs_cost, params_cost

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

REFERENCE = (70.0, 600.0)
"""Reference point of the hypervolume: top-1 in %, M MACs."""

KINDS = ("gp", "mlp")
MLP_MEMBERS = 8


class Oracle:
    """Accuracy of any subnet of the space at 224 px, without noise.

    Args:
        data: folder of the measured data.
        kind: one of ``KINDS``.
    """

    def __init__(self, data: Path, kind: str = "gp") -> None:
        self.kind = kind
        self._data = data
        self.space = get_space("ofa_mbv3_w1.0").restrict(r=224)
        self.macs = macs_cost(self.space)
        frame = read_csv(data / "ofa_mbv3_w1.0_imagenet" / "dynast_224.csv.gz")
        self.rows = read_archs(frame, self.space)
        self.measured = read_metric(frame, "top1")

    @cached_property
    def _model(self) -> Any:
        rows, inverse = np.unique(self.rows, axis=0, return_inverse=True)
        mean = np.bincount(inverse, self.measured) / np.bincount(inverse)
        return (_Gp if self.kind == "gp" else _Mlp)(self.space, rows, mean)

    def top1(self, x: Population) -> NDArray[np.float64]:
        """``(n,)`` top-1 in %."""
        predicted: NDArray[np.float64] = self._model.predict(self.space.canonical(x))
        return predicted

    def points(self, x: Population) -> NDArray[np.float64]:
        """``(n, 2)`` top-1 in % and M MACs."""
        x = self.space.canonical(x)
        return np.stack([self.top1(x), self.macs(x) / 1e6], axis=1)

    def measured_at_192(self) -> MetricFunction:
        """A predictor fitted to other measurements: the same supernet at 192 px, on a quarter of the images.

        It scores subnets at 224 px as if they ran at 192 px.
        """
        frame = read_csv(self._data / "ofa_mbv3_w1.0_imagenet" / "multires_128_160_192.csv.gz")
        frame = frame[frame["r"] == 192]
        top1 = frame["top1"] - frame.groupby("eval_shard")["top1"].transform("mean")
        whole = get_space("ofa_mbv3_w1.0")
        predictor = new_predictor("gp", whole).fit(read_archs(frame, whole), top1.to_numpy())
        at_192 = whole.genes[-1].choices.index(192)

        def prior(x: NDArray[Any]) -> Vector:
            x = x.copy()
            x[:, -1] = at_192
            return predictor.predict(x)

        return prior

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the oracle's answers, so that results of different oracles are not mixed."""
        rows = self.space.sample(200, np.random.default_rng(0))
        return hashlib.sha256(np.round(self.top1(rows), 4).tobytes()).hexdigest()[:8]


def features(space: SearchSpace, x: Population) -> tuple[Matrix, Matrix, Matrix]:
    """Features of canonical rows, ``(n, .)`` each: masked one-hot, structural summary, and gene values scaled to [-1, 1].

    They are deliberately not ``hwnas.predictor``'s: the oracle must not change with the code that it judges.
    """
    active = space.active(x)
    one_hot, values = [], np.zeros(x.shape)
    for column, gene in enumerate(space.genes):
        choices = np.array(gene.choices, dtype=float)
        one_hot += [(x[:, column] == i) & active[:, column] for i in space.domain[column]]
        values[:, column] = choices[x[:, column]] * active[:, column]
    macs, params = macs_cost(space)(x) / 1e8, params_cost(space)(x) / 1e6
    summary = [np.log(macs), 1 / macs, np.log(params), 1 / params]
    for stage, depth in enumerate(space.groups["d"]):
        summary.append(values[:, depth])
        for group in ("ks", "e"):
            total = values[:, space.groups[group][4 * stage : 4 * stage + 4]].sum(axis=1)
            summary += [total, total / values[:, depth], np.log(total)]
    centred = np.where(active, values - 4.5, 0.0) / 2
    return np.stack(one_hot, axis=1).astype(float), np.stack(summary, axis=1), centred[:, :-1]


class _Gp:
    """Exact regression, with hyperparameters that were found once by maximum evidence and are part of the oracle."""

    ONE_HOT, SUMMARY, RBF, SCALE, NOISE = 0.012, 1.44, 0.007, 2.5, 5e-4

    def __init__(self, space: SearchSpace, x: Population, y: Vector) -> None:
        self._space = space
        self._offset, self._unit = y.mean(), y.std()
        one_hot, summary, self._points = features(space, x)
        self._centre = [one_hot.mean(axis=0), summary.mean(axis=0)]
        self._scale = [np.ones(one_hot.shape[1]), summary.std(axis=0)]
        weights = []
        for raw, centre, scale, variance in zip(
            (one_hot, summary), self._centre, self._scale, (self.ONE_HOT, self.SUMMARY), strict=True
        ):
            unit = np.sqrt((((raw - centre) / scale) ** 2).sum(axis=1).mean() / variance)
            scale *= unit  # noqa: PLW2901 - in place: it is kept for prediction
            weights.append((raw - centre) / scale)
        self._linear = np.concatenate(weights, axis=1)
        covariance = self._linear @ self._linear.T + self._rbf(self._points) + self.NOISE * np.eye(len(x))
        self._alpha = np.linalg.solve(covariance, (y - self._offset) / self._unit)

    def _rbf(self, points: Matrix) -> Matrix:
        squared = (points**2).sum(axis=1)[:, None] + (self._points**2).sum(axis=1) - 2 * points @ self._points.T
        kernel: Matrix = self.RBF * np.exp(-0.5 * np.maximum(squared, 0) / self.SCALE**2)
        return kernel

    def predict(self, x: Population) -> Vector:
        one_hot, summary, points = features(self._space, x)
        parts = zip((one_hot, summary), self._centre, self._scale, strict=True)
        linear = np.concatenate([(raw - centre) / scale for raw, centre, scale in parts], axis=1)
        z: Vector = linear @ (self._linear.T @ self._alpha) + self._rbf(points) @ self._alpha
        return np.asarray(z * self._unit + self._offset)


class _Mlp:
    def __init__(self, space: SearchSpace, x: Population, y: Vector) -> None:
        self._space = space
        self._offset, self._unit = y.mean(), y.std()
        z = self._raw(x)
        # The lower bound keeps a choice that few measured subnets have from weighing as much as a frequent one.
        self._centre, self._scale = z.mean(axis=0), np.maximum(z.std(axis=0), 0.3)
        self._members = [
            MLPRegressor(hidden_layer_sizes=(32,), alpha=1.0, solver="lbfgs", max_iter=400, random_state=seed)
            for seed in range(MLP_MEMBERS)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 400 steps, converged or not
            for member in self._members:
                member.fit((z - self._centre) / self._scale, (y - self._offset) / self._unit)

    def _raw(self, x: Population) -> Matrix:
        one_hot, summary, _ = features(self._space, x)
        return np.concatenate([one_hot, summary], axis=1)

    def predict(self, x: Population) -> Vector:
        z = (self._raw(x) - self._centre) / self._scale
        mean: Vector = np.mean([member.predict(z) for member in self._members], axis=0)
        return np.asarray(mean * self._unit + self._offset)


def volume(points: NDArray[np.float64]) -> float:
    """Hypervolume of ``(n, 2)`` points above the reference, in percentage points x M MACs."""
    return hypervolume(points, REFERENCE, (True, False))
