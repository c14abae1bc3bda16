"""Evenly spread weights of objectives."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray


def reference_directions(objectives: int, most: int) -> NDArray[np.float64]:
    """The largest lattice of at most ``most`` weights ``(n, objectives)`` on the unit simplex (Das and Dennis 1998).

    At least the corners: ``objectives`` of them.
    """
    if objectives == 1:
        return np.ones((1, 1))
    parts = 1
    while comb(parts + objectives, objectives - 1) <= most:
        parts += 1
    # Bars among stars: the stars between two bars are the parts of one objective.
    places = parts + objectives - 1
    bars = np.array(list(combinations(range(places), objectives - 1)))
    edges = np.concatenate([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), places)], axis=1)
    return (np.diff(edges, axis=1) - 1) / parts
