"""The base class of predictors: rows of one space in, predictions and their uncertainty out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import PredictorError
from hwnas.metric import QUALITY, Direction, Metric, get_metric
from hwnas.predictor._features import is_continuous
from hwnas.space import AdditiveCost, Population, SearchSpace
from hwnas.space._gene import Value
from hwnas.wording import count_of

Vector = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

MIN_SUBNETS = 8
"""Fewest distinct subnets that a predictor is fitted to."""


@dataclass(frozen=True)
class Card:
    """The origin of a predictor, which is stored with it.

    Attributes:
        metric: the predicted column; accuracies are in percent.
        unit: of the prediction.
        covered: choices of continuous genes (the resolution) that it can predict for, by gene.
        data: name, sha256 and number of rows of each file that it was fitted on.
        scores: held-out scores, as printed.
        notes: one line of further information.
        direction: ``max`` or ``min``; empty if the metric is registered, or if the user gave none.
    """

    metric: str = QUALITY.column
    unit: str = QUALITY.unit
    covered: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    data: Sequence[Mapping[str, Any]] = field(default_factory=list)
    scores: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""
    direction: Direction | Literal[""] = ""

    def as_metric(self) -> Metric:
        """The predicted metric, as an objective of a search.

        Raises:
            DataError: the metric is not registered and was fitted without a direction.
        """
        return get_metric(self.metric, self.direction or None)


class Predictor(ABC):
    """Predicts a metric (accuracy in percent, unless the card says otherwise) from canonical rows of one space.

    Args:
        space: of the rows; its domain is ignored.
        seed: of all randomness in fitting: the same data and seed give the same predictor.
    """

    kind: ClassVar[str]
    hears_errors: ClassVar[bool] = True
    """Whether it predicts other samples better if it is told how far measurements err. Most kinds do."""

    def __init__(self, space: SearchSpace, seed: int = 0) -> None:
        self.space = space.whole
        self.seed = seed
        self.least_noise = 0.0
        self.card = Card()
        self.fitted = False

    def fit(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        noise: NDArray[Any] | None = None,
        *,
        errors: NDArray[Any] | None = None,
    ) -> Self:
        """Fit to measured rows, with repeated subnets averaged. Returns the predictor itself.

        Args:
            x: ``(n, g)`` rows.
            y: ``(n,)`` measured values.
            noise: ``(n,)`` relative standard deviations of the measurements; equal by default.
            errors: ``(n,)`` standard errors of the values, in their unit, due to the choice of the samples; instead of ``noise``.
                Similar subnets measured on the same samples err alike, which a fit cannot tell from a real effect.

        Raises:
            SpaceError: ``x`` holds no rows of this space.
            PredictorError: shapes do not match, targets are not finite, or there are fewer than ``MIN_SUBNETS`` distinct
                subnets.
        """
        x = self.space.canonical(self._rows(x))
        targets = np.asarray(y, dtype=float)
        noise = errors if errors is not None else noise
        spread = np.ones(len(x)) if noise is None else np.asarray(noise, dtype=float)
        for name, values in (("targets", targets), ("noise", spread)):
            if values.shape != (len(x),):
                raise PredictorError(
                    f"{name} of shape {values.shape}", f"{count_of(len(x), 'subnet')} need as many", "pass one each"
                )
            if not np.isfinite(values).all():
                row = int(np.flatnonzero(~np.isfinite(values))[0])
                raise PredictorError(f"{name}, row {row + 1}: {values[row]}", "not a finite number", "remove the row")
        if (spread <= 0).any():
            raise PredictorError(f"noise {spread.min():g}", "noise is positive", "correct it")
        merged, y_mean, variance = _merge(x, targets, spread**2)
        if len(merged) < MIN_SUBNETS:
            found = count_of(len(merged), "distinct subnet")
            raise PredictorError(found, f"a predictor needs at least {MIN_SUBNETS}", "measure more subnets")
        self.least_noise = 0.0 if errors is None else float(np.sqrt((spread**2).mean()))
        self._fit(merged, y_mean, variance)
        self.card = replace(self.card, covered=_covered(self.space, merged))
        self.fitted = True
        return self

    def predict(self, x: NDArray[Any]) -> Vector:
        """``(n,)`` predictions for ``(n, g)`` canonical rows.

        Raises:
            SpaceError: ``x`` holds no rows of this space.
            PredictorError: the predictor is not fitted, or does not cover a resolution.
        """
        return self._predict(self._checked(x))

    def __call__(self, x: NDArray[Any]) -> Vector:
        """Same as ``predict``, so that a predictor can be an objective of a search."""
        return self.predict(x)

    def predict_std(self, x: NDArray[Any]) -> Vector:
        """``(n,)`` standard deviations of the predictions in the metric's unit, without the noise of a measurement.

        NaN if the predictor has no uncertainty (OFA's released networks).
        """
        return self._predict_std(self._checked(x))

    def draws(self, x: NDArray[Any], n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """``(n, len(x))``: ``n`` joint samples of the metric at all rows.

        They are correlated between rows if the predictor has a covariance; otherwise they are independent.
        """
        return self._draws(self._checked(x), n, rng)

    def effects(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n, choices)``: first-order change of the prediction when one gene takes another choice.

        Choices are numbered as in ``SearchSpace.starts``.

        Args:
            x: ``(n, g)`` rows with a choice in every gene (``SearchSpace.completed``).

        Raises:
            SpaceError, PredictorError: as :meth:`predict`.
        """
        return self._effects(self._checked(x))

    def covered(self, space: SearchSpace) -> SearchSpace:
        """``space`` restricted to the choices (the resolutions) that this predictor covers.

        Raises:
            PredictorError: it covers none of them, or belongs to another space.
        """
        self.require(space)
        allowed: dict[str, Sequence[Value] | Value] = {}
        for name, values in self.card.covered.items():
            column = next(c for c, gene in enumerate(space.genes) if gene.name == name)
            mine = [space.genes[column].choices[i] for i in space.domain[column]]
            allowed[name] = [v for v in mine if v in values]
            if not allowed[name]:
                raise PredictorError(
                    f"{name} = {', '.join(map(str, mine))}",
                    f"this {self.kind} predictor covers {', '.join(map(str, values))}",
                    f"pick a covered {name}, or fit a predictor for it",
                )
        return space.restrict(**allowed)

    def require(self, space: SearchSpace) -> None:
        """Raise unless this predictor scores rows of ``space``."""
        if space.fingerprint != self.space.fingerprint:
            raise PredictorError(
                f"predictor of {self.space.name}",
                f"it cannot score subnets of {space.name}",
                f"pass a predictor of {space.name}",
            )

    def extend_coverage(self, x: NDArray[Any]) -> None:
        """Also cover the resolutions of ``x``: held-out rows may have more extreme ones than the training rows."""
        more = _covered(self.space, self.space.canonical(self._rows(x)))
        covered = {}
        for gene in self.space.genes:
            if gene.name in more:
                known = [float(v) for v in (*self.card.covered.get(gene.name, ()), *more[gene.name])]
                covered[gene.name] = [v for v in gene.choices if min(known) <= float(v) <= max(known)]
        self.card = replace(self.card, covered=covered)

    def additive(self) -> AdditiveCost | None:
        """The predictor as a sum over genes; None if it is not exactly additive."""
        return None

    def unfitted(self) -> Self:
        """A new predictor with the same settings that keeps this one's hyperparameters, so that it fits parts of the data fast."""
        return type(self)(self.space, self.seed)

    @abstractmethod
    def _fit(self, x: Population, y: Vector, variance: Vector) -> None:
        """Fit to distinct canonical rows; ``variance`` holds relative noise variances."""

    @abstractmethod
    def _predict(self, x: Population) -> Vector: ...

    @abstractmethod
    def _predict_std(self, x: Population) -> Vector: ...

    def _draws(self, x: Population, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return self._predict(x) + self._predict_std(x) * rng.standard_normal((n, len(x)))

    @abstractmethod
    def _effects(self, x: Population) -> NDArray[np.float64]: ...

    @abstractmethod
    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays and JSON settings from which :meth:`restore` rebuilds the predictor, without its card."""

    def restore(self, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
        """Restore a fitted predictor from its :meth:`state`. Raises ``KeyError`` or ``ValueError`` if that does not fit."""
        self._restore(arrays, settings)
        self.fitted = True

    @abstractmethod
    def _restore(self, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None: ...

    def _rows(self, x: NDArray[Any]) -> Population:
        return self.space.checked(x).astype(np.int16, copy=False)

    def _checked(self, x: NDArray[Any]) -> Population:
        if not self.fitted:
            raise PredictorError(f"{self.kind} predictor", "it was not fitted", "call fit, or load a fitted one")
        rows = self._rows(x)
        for name, values in self.card.covered.items():
            column = next(c for c, gene in enumerate(self.space.genes) if gene.name == name)
            choices = self.space.genes[column].choices
            known = np.array([choice in values for choice in choices])
            outside = ~known[rows[:, column]]
            if outside.any():
                i = int(outside.argmax())
                raise PredictorError(
                    f"row {i + 1}, {name} = {choices[rows[i, column]]}",
                    f"this predictor covers {', '.join(map(str, values))}",
                    f"restrict {name} to them",
                )
        return rows


def _merge(x: Population, y: Vector, variance: Vector) -> tuple[Population, Vector, Vector]:
    """Distinct rows in order of first occurrence, the inverse-variance weighted mean of each one's targets, and its variance."""
    _, first, inverse = np.unique(x, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    weight = np.bincount(inverse, 1 / variance)
    mean = np.bincount(inverse, y / variance) / weight
    order = np.argsort(first)
    return x[first[order]], mean[order], 1 / weight[order]


def _covered(space: SearchSpace, x: Population) -> dict[str, Sequence[Value]]:
    """Choices of continuous genes between the smallest and the largest value in ``x``, by gene."""
    covered: dict[str, Sequence[Value]] = {}
    for c, gene in enumerate(space.genes):
        if is_continuous(gene):
            seen = [gene.choices[i] for i in np.unique(x[:, c])]
            low, high = min(map(float, seen)), max(map(float, seen))
            covered[gene.name] = [v for v in gene.choices if low <= float(v) <= high]
    return covered
