"""The predictor between slow evaluations, where the caller brings none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwnas.search.problem._searcher import Fit, Surrogate, Vector
from hwnas.space import Population, SearchSpace

Errors = Callable[[Population], Vector | None]
"""``(n, g)`` evaluated rows to the ``(n,)`` standard deviations by which their values err at least, None where that is not
known. What is measured on the same samples errs alike where subnets are alike, and looks exact to a fit."""


def gaussian_process(space: SearchSpace, errors: Errors | None = None) -> Fit:
    """What fits Gaussian processes to evaluated subnets of a space: the best predictors while data are few, and sure of how sure
    they are."""
    from hwnas.predictor import GaussianProcess  # most searches predict nothing

    # Rows at the ends of every gene: the search may look at resolutions that no evaluated subnet has yet.
    ends = np.array([[d[0] for d in space.domain], [d[-1] for d in space.domain]], dtype=np.int16)

    def fit(x: Population, y: Vector) -> Surrogate:
        noise = None if errors is None else errors(x)
        least = 0.0 if noise is None else float(np.sqrt((noise**2).mean()))
        predictor = GaussianProcess(space, least_noise=least).fit(x, y, noise)
        predictor.extend_coverage(ends)
        return predictor

    return fit
