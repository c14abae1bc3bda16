"""Shrink a space to the choices that its front needs.

The space that is worth searching differs from device to device (SpaceEvo, Zhang et al. 2023, arXiv:2303.08308). Here
a front of the whole space decides. Choices that no row of the front has are dropped at no cost. Others follow, as long
as enough of the front's hypervolume is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._pareto import hypervolume, reference_beyond
from hwnas.space import Population, SearchSpace

SHARE = 0.995
"""Share of the hypervolume that is kept by default."""


def shrunk(
    space: SearchSpace, x: Population, values: NDArray[np.float64], maximise: Sequence[bool], share: float = SHARE
) -> tuple[SearchSpace, float]:
    """Drop choices one by one, the one that costs least hypervolume first. The best value of each objective is kept.

    Args:
        space: the whole space.
        x: ``(n, g)`` canonical rows of its front.
        values: ``(n, m)`` objectives of these rows.
        maximise: per objective, whether larger is better.
        share: least share of the hypervolume to keep; 1 drops only choices that no row has.

    Returns:
        The smaller space, and the share of the hypervolume that the front's rows in it have.
    """
    costs = np.where(np.asarray(maximise, dtype=bool), -values, values)
    front = _Front(costs)
    has = _has(space, x)
    ends = has[costs.argmin(axis=0)].any(axis=0)
    # The hypervolume left without a choice only falls while others are dropped, so an old value is an upper bound.
    queue = [(-front.without(has[:, c]), c) for c in np.flatnonzero(has.any(axis=0) & ~ends)]
    heapq.heapify(queue)
    while queue:
        _, choice = heapq.heappop(queue)
        volume = front.without(has[:, choice])
        if queue and -volume > queue[0][0]:
            heapq.heappush(queue, (-volume, choice))
        elif volume >= share * front.whole:
            front.drop(has[:, choice])
        else:
            break
    left = has[front.alive]
    kept = left.any(axis=0) | _fallback(space, left)
    domain = [np.flatnonzero(kept[a:b]).tolist() for a, b in zip(space.starts, space.starts[1:], strict=False)]
    return space.with_domain(domain), front.left / front.whole


class _Front:
    """The rows of a front that are left, and their hypervolume."""

    def __init__(self, costs: NDArray[np.float64]) -> None:
        self._costs = costs
        self._reference = reference_beyond(costs.max(axis=0), np.ptp(costs, axis=0))
        self.alive = np.ones(len(costs), dtype=bool)
        self.whole = self.left = self._volume(self.alive)

    def without(self, rows: NDArray[np.bool_]) -> float:
        """The hypervolume without some of the rows."""
        return self._volume(self.alive & ~rows)

    def drop(self, rows: NDArray[np.bool_]) -> None:
        """Remove these rows."""
        self.left = self.without(rows)
        self.alive &= ~rows

    def _volume(self, rows: NDArray[np.bool_]) -> float:
        return hypervolume(self._costs[rows], self._reference)


def _has(space: SearchSpace, x: Population) -> NDArray[np.bool_]:
    """``(n, choices)``: which choices each row makes, at genes that have an effect; columns as in ``space.starts``."""
    has = np.zeros((len(x), len(space.allowed)), dtype=bool)
    rows, columns = np.nonzero(space.active(x))
    has[rows, space.starts[columns] + x[rows, columns]] = True
    return has


def _fallback(space: SearchSpace, has: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``(choices,)``: the first choice of every gene that has no effect in any row."""
    first = np.zeros(len(space.allowed), dtype=bool)
    for start, allowed, end in zip(space.starts, space.domain, space.starts[1:], strict=False):
        first[start + allowed[0]] = not has[:, start:end].any()
    return first
