"""Evenly spread weights of objectives."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray


def reference_directions(objectives: int, most: int) -> NDArray[np.float64]:
    """``(n, objectives)`` weights: the largest lattice on the unit simplex with at most ``most`` points (Das and Dennis 1998).

    There are never fewer than the corners, one per objective.
    """
    if objectives == 1:
        return np.ones((1, 1))
    parts = 1
    while comb(parts + objectives, objectives - 1) <= most:
        parts += 1
    # Stars and bars: the stars between two bars are the parts of one objective.
    places = parts + objectives - 1
    bars = np.array(list(combinations(range(places), objectives - 1)))
    edges = np.concatenate([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), places)], axis=1)
    return (np.diff(edges, axis=1) - 1) / parts
