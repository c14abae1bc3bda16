"""A predictor of a space, used on the same space with a precision per layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import PredictorError
from hwnas.predictor._base import Arrays, Predictor, Vector
from hwnas.space import AdditiveCost, Population, SearchSpace


def in_any_precision(predictor: Predictor, space: SearchSpace) -> Predictor:
    """The predictor itself if ``space`` is its own space; an `AnyPrecision` if ``space`` adds precisions."""
    return predictor if predictor.space.fingerprint == space.fingerprint else AnyPrecision(predictor, space)


class AnyPrecision(Predictor):
    """Ignores the precisions.

    Args:
        plain: predictor of the space without precisions.
        space: the space with precisions.
    """

    kind = "any precision"

    def __init__(self, plain: Predictor, space: SearchSpace) -> None:
        super().__init__(space, plain.seed)
        self.plain, self.card, self.fitted = plain, plain.card, plain.fitted

    def additive(self) -> AdditiveCost | None:
        found = self.plain.additive()
        return None if found is None else AdditiveCost(self.space, found.factors)

    def _predict(self, x: Population) -> Vector:
        return self.plain.predict(self._columns(x))

    def _predict_std(self, x: Population) -> Vector:
        return self.plain.predict_std(self._columns(x))

    def _draws(self, x: Population, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return self.plain.draws(self._columns(x), n, rng)

    def _effects(self, x: Population) -> NDArray[np.float64]:
        """Precision genes come last, and have no effect."""
        found = np.zeros((len(x), self.space.starts[-1]))
        known = self.plain.effects(self._columns(x))
        found[:, : known.shape[1]] = known
        return found

    def _columns(self, x: Population) -> Population:
        return x[:, : self.plain.space.n_genes]

    def _fit(self, x: Population, y: Vector, variance: Vector) -> None:  # noqa: ARG002
        raise PredictorError("predictor of any precision", "it cannot be fitted", "fit a predictor of the space itself")

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        return self.plain.state()

    def _restore(self, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
        self.plain.restore(arrays, settings)
