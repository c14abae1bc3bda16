"""The part of a space that fronts are made of: choices that cost almost no hypervolume are dropped.

SpaceEvo (Zhang et al. 2023, arXiv:2303.08308) finds that what is worth searching differs from device to device. Here a
front of the whole space decides: choices that no row of it has are dropped at no cost, and further ones as long as
enough of its hypervolume is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._pareto import hypervolume
from hwnas.space import Population, SearchSpace

SHARE = 0.995
"""Of the hypervolume, which is kept by default."""

MARGIN = 0.1
"""How far beyond the worst values of a front its reference point lies, as a share of their range."""


def shrunk(
    space: SearchSpace, x: Population, values: NDArray[np.float64], maximise: Sequence[bool], share: float = SHARE
) -> tuple[SearchSpace, float]:
    """The space with the choices that a front needs, and the share of its hypervolume that rows of that space keep.

    Choices go one by one, that of least loss first. The best value of each objective is kept.

    Args:
        space: whose front it is.
        x: ``(n, g)`` canonical rows of the front.
        values: ``(n, m)``, their objectives.
        maximise: per objective, whether larger is better.
        share: of the hypervolume, that is kept at least; 1 drops what no row has.
    """
    costs = np.where(np.asarray(maximise, dtype=bool), -values, values)
    front = _Front(costs)
    has = _has(space, x)
    ends = has[costs.argmin(axis=0)].any(axis=0)
    # What is left without a choice only shrinks as others are dropped, so an old figure is the most that it can be.
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
    """Which of its rows are left, and their hypervolume."""

    def __init__(self, costs: NDArray[np.float64]) -> None:
        self._costs = costs
        # The margin grows with the values: beside a hundred million MACs a fixed one would round to nothing.
        span = np.maximum(np.ptp(costs, axis=0), 1e-6 * np.abs(costs).max(axis=0) + 1e-9)
        self._corner = (costs.max(axis=0) + MARGIN * span).tolist()
        self.alive = np.ones(len(costs), dtype=bool)
        self.whole = self.left = self._volume(self.alive)

    def without(self, rows: NDArray[np.bool_]) -> float:
        """The hypervolume that is left if some of its rows go."""
        return self._volume(self.alive & ~rows)

    def drop(self, rows: NDArray[np.bool_]) -> None:
        """Remove these rows."""
        self.left = self.without(rows)
        self.alive &= ~rows

    def _volume(self, rows: NDArray[np.bool_]) -> float:
        return hypervolume(self._costs[rows], self._corner)


def _has(space: SearchSpace, x: Population) -> NDArray[np.bool_]:
    """``(n, choices)``: which choices, numbered as in ``space.starts``, rows have where they have an effect."""
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
