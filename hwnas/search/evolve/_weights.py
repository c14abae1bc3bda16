"""Weights of costs that cover a front: single rows minimise the weighted sums, from one end to the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._directions import reference_directions
from hwnas.search.problem._pool import Pool


def front_weights(pool: Pool, n: int) -> NDArray[np.float64]:
    """``(n, m)`` weights, scaled so that the weighted costs range over about 1 along the front.

    With two costs they follow the slopes of the front's convex hull, at even steps of the last cost. With more, they
    are reference directions.
    """
    span = pool.span()
    weights: NDArray[np.float64] = np.ones((n, len(span)))
    if len(span) > 2:
        directions = reference_directions(len(span), n)
        weights = directions[np.arange(n) * len(directions) // n]
    elif len(span) == 2:
        weights[:, 1] = span[0] / span[1]
        hull = lower_hull(pool.costs[:, ::-1])
        steps = np.diff(hull, axis=0)
        if len(steps):
            middle = hull[:-1, 0] + steps[:, 0] / 2
            along = np.linspace(hull[0, 0], hull[-1, 0], n)
            weights[:, 1] = np.interp(along, middle, -steps[:, 1] / steps[:, 0])
        weights[:, 1] *= span[1] / span[0]
    return weights / span


def lower_hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lower left convex hull of points of a front, from left to right (Andrew 1979)."""
    hull: list[tuple[float, float]] = []
    for x, y in points[np.argsort(points[:, 0], kind="stable")].tolist():
        while len(hull) > 1 and _no_corner(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    return np.array(hull)


def _no_corner(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether the way from a over b to c does not turn left, so that b is not a corner of the hull."""
    return (b[0] - a[0]) * (c[1] - b[1]) <= (b[1] - a[1]) * (c[0] - b[0])
