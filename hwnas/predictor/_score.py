"""Scores of a predictor on held-out subnets: Kendall's tau, RMSE, MAPE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import PredictorError
from hwnas.predictor._base import MIN_SUBNETS, Predictor, Vector
from hwnas.predictor._features import is_continuous
from hwnas.space import Population, SearchSpace
from hwnas.wording import count_of

NewPredictor = Callable[[], Predictor]
"""Makes an unfitted predictor."""


@dataclass(frozen=True)
class Scores:
    """Scores of predictions against measurements.

    Attributes:
        tau: Kendall's rank correlation (tau-b).
        rmse: root mean squared error, in the metric's unit.
        mape: mean absolute error in percent of the measured value.
        bias: mean of prediction minus measurement.
        coverage: share of measurements within two predicted standard deviations; NaN if there are none.
        n: number of measurements.
    """

    tau: float
    rmse: float
    mape: float
    bias: float
    coverage: float
    n: int

    def as_dict(self) -> dict[str, float]:
        """The scores rounded to five digits, without NaNs."""
        return {k: (v if k == "n" else float(f"{v:.5g}")) for k, v in asdict(self).items() if not np.isnan(v)}


def score(predicted: Vector, measured: Vector, std: Vector | None = None) -> Scores:
    """Scores of ``(n,)`` predictions."""
    from scipy.stats import kendalltau  # heavy, and only fitting needs it

    error = predicted - measured
    return Scores(
        tau=float(kendalltau(predicted, measured).statistic),
        rmse=float(np.sqrt(np.mean(error**2))),
        mape=float(100 * np.mean(np.abs(error) / np.maximum(np.abs(measured), 1e-12))),
        bias=float(error.mean()),
        coverage=float("nan") if std is None else float(np.mean(np.abs(error) <= 2 * std)),
        n=len(measured),
    )


def subnet_groups(space: SearchSpace, x: Population) -> NDArray[np.intp]:
    """``(n,)`` index of each row's subnet; repeated rows, and one network at several resolutions, share an index."""
    plain = x.copy()
    plain[:, [c for c, gene in enumerate(space.genes) if is_continuous(gene)]] = 0
    return np.unique(plain, axis=0, return_inverse=True)[1].reshape(-1)


def folds(groups: NDArray[np.intp], k: int, seed: int = 0) -> list[NDArray[np.bool_]]:
    """``k`` masks of held-out rows that split no group."""
    n_groups = int(groups.max()) + 1
    if n_groups < k:
        raise PredictorError(
            count_of(n_groups, "distinct subnet"), f"{k} folds need at least {k}", "measure more subnets"
        )
    of_group = np.random.default_rng(seed).permutation(n_groups) % k
    return [of_group[groups] == fold for fold in range(k)]


def k_fold(
    new: NewPredictor,
    space: SearchSpace,
    x: Population,
    y: Vector,
    errors: Vector | None = None,
    *,
    k: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> tuple[Vector, Vector]:
    """``(n,)`` out-of-fold predictions and ``(n,)`` standard deviations, over ``k`` folds grouped by subnet.

    ``errors`` are as in :meth:`Predictor.fit`. ``progress`` is called with the number of each fold, from 0, before it begins.
    """
    predicted, std = np.empty(len(x)), np.empty(len(x))
    splits = folds(subnet_groups(space, x), k, seed)
    fewest = min(len(np.unique(x[~held], axis=0)) for held in splits)
    if fewest < MIN_SUBNETS:
        rule = f"training without one of {k} folds leaves {fewest}, and a predictor needs at least {MIN_SUBNETS}"
        raise PredictorError(count_of(len(np.unique(x, axis=0)), "distinct subnet"), rule, "measure more subnets")
    for fold, held in enumerate(splits):
        if progress is not None:
            progress(fold)
        predicted[held], std[held] = _held_out(new, x, y, errors, held)
    return predicted, std


def curve_sizes(subnets: int) -> list[int]:
    """Numbers of training subnets of a learning curve: 25, 50, 100, ... up to 80 % of all."""
    largest = int(0.8 * subnets)
    steps = [25 * 2**i for i in range(20) if 25 * 2**i <= largest]
    sizes = steps if steps and steps[-1] > 0.8 * largest else [*steps, largest]
    return [size for size in sizes if MIN_SUBNETS <= size < subnets]


def curve_point(
    new: NewPredictor,
    space: SearchSpace,
    x: Population,
    y: Vector,
    size: int,
    errors: Vector | None = None,
    *,
    repeats: int,
    seed: int = 0,
) -> Scores:
    """A point of a learning curve: scores after fitting to ``size`` random subnets, on all others; the mean of ``repeats``."""
    groups = subnet_groups(space, x)
    runs = []
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(int(groups.max()) + 1)
        held = ~np.isin(groups, order[:size])
        predicted, std = _held_out(new, x, y, errors, held)
        runs.append(astuple(score(predicted, y[held], std)))
    tau, rmse, mape, bias, coverage, n = np.mean(runs, axis=0).tolist()
    return Scores(tau, rmse, mape, bias, coverage, round(n))


def _held_out(
    new: NewPredictor, x: Population, y: Vector, errors: Vector | None, held: NDArray[np.bool_]
) -> tuple[Vector, Vector]:
    """Predictions and standard deviations for held-out rows, by a predictor fitted to the others."""
    model = new().fit(x[~held], y[~held], errors=None if errors is None else errors[~held])
    model.extend_coverage(x[held])
    return model.predict(x[held]), model.predict_std(x[held])
