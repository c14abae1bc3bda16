"""Warm start: begin from a predictor of another device, resolution or data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._problem import MetricFunction
from hwnas.search.problem._searcher import Fit, Surrogate
from hwnas.space import Population


def with_prior(fit: Fit, prior: MetricFunction) -> Fit:
    """Fit predictors to the errors of a prior.

    Args:
        fit: makes a predictor.
        prior: predicts the same metric, from other data. It must rank subnets well. It may be off by a constant, which
            the predictor learns from the first evaluations.
    """

    def fit_rest(x: Population, y: NDArray[np.float64]) -> Surrogate:
        return _Corrected(prior, fit(x, y - prior(x)))

    return fit_rest


@dataclass(frozen=True)
class _Corrected:
    prior: MetricFunction
    rest: Surrogate

    def predict(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(self.prior(x) + self.rest.predict(x))

    def predict_std(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return self.rest.predict_std(x)

    def draws(self, x: NDArray[Any], n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return np.asarray(self.prior(x) + self.rest.draws(x, n, rng))
