"""Combinations of one-gene moves, predicted by adding up the effect that each move has alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search.evolve._operators import Moves
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._seen import Values

MOVES = 32
"""Moves of a row to combine: those whose neighbours are nearest to the front."""

BEAM = 32
"""Combinations of each size that are extended by another move."""

DEPTH = 3
"""Most genes changed at once."""

SCORED = 8
"""Most combinations of each size to score, per row."""

HOPE = 0.004
"""How far behind the front a combination to score may be predicted, as a share of the front's range."""


@dataclass(frozen=True)
class Combinations:
    """Combinations of moves: ``rows`` (k,) says which row to change, ``moves`` (k, size) how."""

    rows: NDArray[np.intp]
    moves: NDArray[np.intp]


def promising(pool: Pool, moves: Moves, values: Values, delta: Values) -> list[Combinations]:
    """Combinations of 2, 3, ... moves predicted to reach the front within the budgets.

    Args:
        pool: holds the front to reach.
        moves: the moves, one per column of ``delta``.
        values: ``(r,)`` values of every metric of r rows.
        delta: ``(r, moves)`` per metric: how much each move alone adds; NaN where it changes nothing.
    """
    problem = pool.problem
    hope = HOPE * float(np.ptp(pool.costs[:, 0])) if len(pool.x) else 0.0

    def gap(change: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """How far behind the front rows are predicted to be after ``(r, k)`` summed changes; inf where infeasible."""
        shape = next(iter(change.values())).shape
        predicted = {name: (values[name][:, None] + c).ravel() for name, c in change.items()}
        behind = pool.behind(problem.costs(predicted))
        return np.where(problem.violation(predicted) <= 0, behind, np.inf).reshape(shape)

    picked = _nearest(gap(delta), MOVES)
    k = picked.shape[1]
    single = {name: np.take_along_axis(d, picked, axis=1) for name, d in delta.items()}
    genes = moves.genes[picked]
    members = np.broadcast_to(np.arange(k)[:, None], (len(picked), k, 1))
    total = single
    found = []
    for _ in range(2, DEPTH + 1):
        # Extend every combination in the beam by every move that is less promising than its own: (r, beam * k).
        together = {name: (t[:, :, None] + single[name][:, None]).reshape(len(picked), -1) for name, t in total.items()}
        distance = gap(together)
        own = np.take_along_axis(genes[:, None], members, axis=2)
        clash = (own[..., None] == genes[:, None, None]).any(axis=2) | (members[..., -1:] >= np.arange(k))
        distance[clash.reshape(distance.shape)] = np.inf
        best = _nearest(distance, BEAM)
        members = np.concatenate(
            [np.take_along_axis(members, best[..., None] // k, axis=1), best[..., None] % k], axis=2
        )
        total = {name: np.take_along_axis(t, best, axis=1) for name, t in together.items()}
        row, place = np.nonzero(np.take_along_axis(distance, best, axis=1)[:, :SCORED] <= hope)
        found.append(Combinations(row, np.take_along_axis(picked[row], members[row, place], axis=1)))
    return found


def _nearest(distance: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """``(r, <= k)`` columns of the k smallest values of each row, smallest first; NaN counts as inf."""
    distance = np.where(np.isnan(distance), np.inf, distance)
    if distance.shape[1] > k:
        part = np.argpartition(distance, k - 1, axis=1)[:, :k]
        order = np.take_along_axis(distance, part, axis=1).argsort(axis=1, kind="stable")
        return np.take_along_axis(part, order, axis=1)
    return distance.argsort(axis=1, kind="stable")
