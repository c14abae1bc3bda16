"""Dominance and hypervolume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GRID_CELLS = 250_000
"""Cells that a front is compared on."""


def non_dominated(
    values: NDArray[np.float64], maximise: Sequence[bool] | None = None, *, distinct: bool = False
) -> NDArray[np.bool_]:
    """``(n,)``: which rows of ``(n, m)`` values no other row dominates.

    One row dominates another if it is nowhere worse and somewhere better.

    Args:
        values: one row per subnet, one column per objective.
        maximise: per column, whether larger is better; all are minimised by default.
        distinct: keep only the first of rows whose values are all equal.
    """
    costs = _signed(values, maximise)
    n, m = costs.shape
    mask: NDArray[np.bool_]
    if n == 0:
        return np.zeros(0, dtype=bool)
    if m == 1:
        mask = np.equal(costs[:, 0], costs[:, 0].min())
    elif m == 2:
        mask = _sweep(costs)
    else:
        # Imported here: most fronts have two objectives.
        import moocore

        mask = np.asarray(moocore.is_nondominated(np.ascontiguousarray(costs), keep_weakly=True), dtype=bool)
    if distinct:
        kept = np.flatnonzero(mask)
        _, first = np.unique(costs[kept], axis=0, return_index=True)
        mask = np.zeros(n, dtype=bool)
        mask[kept[first]] = True
    return mask


def hypervolume(
    values: NDArray[np.float64], reference: Sequence[float], maximise: Sequence[bool] | None = None
) -> float:
    """Exact volume dominated by ``(n, m)`` values and bounded by the reference point.

    Values and reference are in the objectives' own units and directions; rows that do not dominate
    the reference point add nothing.
    """
    costs = _signed(values, maximise)
    bound = _signed(np.asarray([reference], dtype=np.float64), maximise)[0]
    costs = costs[(costs < bound).all(axis=1)]
    if not len(costs):
        return 0.0
    if costs.shape[1] == 1:
        return float(bound[0] - costs.min())
    if costs.shape[1] == 2:
        front = costs[_sweep(costs)]
        front = front[np.argsort(front[:, 0], kind="stable")]
        right = np.append(front[1:, 0], bound[0])
        return float(((right - front[:, 0]) * (bound[1] - front[:, 1])).sum())
    import moocore

    return float(moocore.hypervolume(np.ascontiguousarray(costs), ref=bound))


def behind(costs: NDArray[np.float64], front: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n,)``: how much the first cost of each ``(n, m)`` row must fall for it to join a front; all are minimised.

    Negative where the row is ahead; -inf where no member of the front is as good in all other costs.
    With three or more costs large fronts are compared on a grid, which may put rows ahead of where they are, never
    behind.
    """
    least = np.full(len(costs), np.inf)
    others = front.shape[1] - 1
    if not others:
        least[:] = front.min(initial=np.inf)
    elif len(front):
        size = GRID_CELLS ** (1 / others)
        levels = [_levels(front[:, j], int(size)) for j in range(1, front.shape[1])]
        grid = np.full([len(level) for level in levels], np.inf)
        cells = [np.searchsorted(level, front[:, j + 1]) for j, level in enumerate(levels)]
        np.minimum.at(grid, tuple(cells), front[:, 0])
        for axis in range(others):
            np.minimum.accumulate(grid, axis=axis, out=grid)
        places = [np.searchsorted(level, costs[:, j + 1], side="right") - 1 for j, level in enumerate(levels)]
        inside = np.min(places, axis=0) >= 0
        least[inside] = grid[tuple(place[inside] for place in places)]
    gap: NDArray[np.float64] = costs[:, 0] - least
    return gap


def _levels(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Sorted distinct values, thinned evenly to at most ``most`` that hold the smallest and the largest."""
    levels = np.unique(values)
    return levels if len(levels) <= most else levels[np.linspace(0, len(levels) - 1, most).astype(int)]


def _signed(values: NDArray[np.float64], maximise: Sequence[bool] | None) -> NDArray[np.float64]:
    costs = np.asarray(values, dtype=np.float64)
    return costs if maximise is None else np.where(np.asarray(maximise, dtype=bool), -costs, costs)


def _sweep(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Two minimised columns: sort by the first, keep what lowers the running minimum of the second."""
    order = np.lexsort((costs[:, 1], costs[:, 0]))
    first, second = costs[order, 0], costs[order, 1]
    before = np.concatenate([[np.inf], np.minimum.accumulate(second)[:-1]])
    kept = second < before
    # Equal rows stand together in the order: a copy of a kept row is kept.
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
    group = np.cumsum(~same) - 1
    mask = np.zeros(len(order), dtype=bool)
    mask[order] = kept[~same][group]
    return mask
