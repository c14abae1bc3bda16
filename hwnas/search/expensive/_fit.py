"""The default predictor of slow metrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwnas.search.problem._searcher import Fit, Surrogate, Vector
from hwnas.space import Population, SearchSpace

Errors = Callable[[Population], Vector | None]
"""``(n, g)`` evaluated rows to lower bounds on the ``(n,)`` standard deviations of their values, or None if unknown.
A fit cannot see this noise: similar subnets measured on the same samples err alike, so their values look exact."""


def gaussian_process(space: SearchSpace, errors: Errors | None = None) -> Fit:
    """A ``Fit`` of Gaussian processes: the best predictors while data are few, with calibrated uncertainty."""
    from hwnas.predictor import GaussianProcess  # most searches predict nothing

    # The lowest and the highest choice of every gene: the search may visit resolutions that no evaluated subnet has.
    ends = np.array([[d[0] for d in space.domain], [d[-1] for d in space.domain]], dtype=np.int16)

    def fit(x: Population, y: Vector) -> Surrogate:
        predictor = GaussianProcess(space).fit(x, y, errors=None if errors is None else errors(x))
        predictor.extend_coverage(ends)
        return predictor

    return fit
