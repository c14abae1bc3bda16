"""Dominance and hypervolume."""

from __future__ import annotations

from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

GRID_CELLS = 250_000
"""Cells of the grid on which large fronts are compared."""


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
    if costs.shape[1] == 1:
        mask: NDArray[np.bool_] = costs[:, 0] == costs[:, 0].min(initial=np.inf)
    else:
        mask = np.asarray(moocore.is_nondominated(np.ascontiguousarray(costs), keep_weakly=True), dtype=bool)
    if distinct:
        kept = np.flatnonzero(mask)
        _, first = np.unique(costs[kept], axis=0, return_index=True)
        mask = np.zeros(len(costs), dtype=bool)
        mask[kept[first]] = True
    return mask


def hypervolume(
    values: NDArray[np.float64],
    reference: Sequence[float] | NDArray[np.float64],
    maximise: Sequence[bool] | None = None,
) -> float:
    """Exact volume dominated by ``(n, m)`` values and bounded by the reference point.

    Values and reference are in the objectives' own units and directions; rows that do not dominate
    the reference point add nothing.
    """
    costs = _signed(values, maximise)
    bound = _signed(np.asarray(reference), maximise)
    costs = costs[(costs < bound).all(axis=1)]
    if not len(costs):
        return 0.0
    if costs.shape[1] == 1:
        return float(bound[0] - costs.min())
    return float(moocore.hypervolume(np.ascontiguousarray(costs), ref=bound))


def reference_beyond(worst: NDArray[np.float64], span: NDArray[np.float64], share: float = 0.1) -> NDArray[np.float64]:
    """``(m,)`` reference point: beyond the worst costs by a share of their range.

    Where costs are all alike it lies a millionth of their size beyond them. A fixed margin beside a hundred million
    MACs would round to nothing, and every hypervolume with it.
    """
    return np.asarray(worst + np.maximum(share * span, 1e-6 * np.abs(worst)) + 1e-12)


def behind(costs: NDArray[np.float64], front: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n,)``: how much the first cost of each ``(n, m)`` row must fall for the row to join a front.

    All costs are minimised. The gap is negative where the row is ahead of the front, and -inf where no member of the
    front is as good in all other costs. With three or more costs, large fronts are rounded to a grid, which may
    understate the gap but never overstates it.
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
    """At most ``most`` of the distinct values, sorted and evenly thinned, the smallest and the largest among them."""
    levels = np.unique(values)
    return levels if len(levels) <= most else levels[np.linspace(0, len(levels) - 1, most).astype(int)]


def _signed(values: NDArray[np.float64], maximise: Sequence[bool] | None) -> NDArray[np.float64]:
    costs = np.asarray(values, dtype=np.float64)
    return costs if maximise is None else np.where(np.asarray(maximise, dtype=bool), -costs, costs)
