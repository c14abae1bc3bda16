"""The predictor between slow evaluations, where the caller brings none."""

from __future__ import annotations

import numpy as np

from hwnas.search.problem._searcher import Fit, Surrogate, Vector
from hwnas.space import Population, SearchSpace

PREDICTOR = "gp"
"""Kind of the predictor: the best while data are few, and sure of how sure it is."""


def gaussian_process(space: SearchSpace) -> Fit:
    """What fits Gaussian processes to evaluated subnets of ``space``."""
    from hwnas.predictor import new_predictor  # most searches predict nothing

    # Rows at the ends of every gene: the search may look at resolutions that no evaluated subnet has yet.
    ends = np.array([[d[0] for d in space.domain], [d[-1] for d in space.domain]], dtype=np.int16)

    def fit(x: Population, y: Vector) -> Surrogate:
        predictor = new_predictor(PREDICTOR, space).fit(x, y)
        predictor.extend_coverage(ends)
        return predictor

    return fit
