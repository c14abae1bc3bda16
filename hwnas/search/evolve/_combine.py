"""Which changes to make together: combinations of one-gene moves, predicted by adding up what each does alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search.evolve._operators import Moves
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._seen import Values

MOVES = 32
"""Moves of a row that are combined: those whose neighbours are nearest to the front."""

BEAM = 32
"""Combinations of each size that are extended by another move."""

DEPTH = 3
"""Genes changed at once, at most."""

SCORED = 8
"""Combinations of each size that are worth scoring, per row, at most."""

HOPE = 0.004
"""How far behind the front a combination may be predicted and still be scored, as a share of the front's range."""


@dataclass(frozen=True)
class Combinations:
    """``rows`` (k,): which row; ``moves`` (k, size): what to change in it."""

    rows: NDArray[np.intp]
    moves: NDArray[np.intp]


def promising(pool: Pool, moves: Moves, values: Values, delta: Values) -> list[Combinations]:
    """Combinations of 2, 3, ... moves predicted to reach the front within the budgets.

    Args:
        pool: its front is the one to reach.
        moves: the moves that columns of ``delta`` stand for.
        values: every metric of r rows.
        delta: ``(r, moves)`` per metric: what each move alone adds; NaN where it changes nothing.
    """
    problem = pool.problem
    hope = HOPE * float(np.ptp(pool.costs[:, 0])) if len(pool.x) else 0.0

    def gap(change: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """How far behind the front ``(r, k)`` summed changes are predicted to be; inf where not feasible."""
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
        # Every combination in the beam is extended by every move that is less promising than all moves in it: (r, beam
        # * k).
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
    """``(r, <= k)`` columns of the smallest values of each row, smallest first; NaN counts as inf."""
    distance = np.where(np.isnan(distance), np.inf, distance)
    if distance.shape[1] > k:
        part = np.argpartition(distance, k - 1, axis=1)[:, :k]
        order = np.take_along_axis(distance, part, axis=1).argsort(axis=1, kind="stable")
        return np.take_along_axis(part, order, axis=1)
    return distance.argsort(axis=1, kind="stable")
