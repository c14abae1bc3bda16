"""Padded arrays of Pareto sets: pruning and outer sums. The inner loop of the exact search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.search._pareto import non_dominated

Table = NDArray[np.float64]
Index = NDArray[np.int64]

CHUNK = 1_000_000
"""Sums formed at once."""

MAX_POINTS = 4_000_000
"""Points kept at once, over all settings."""


@dataclass(frozen=True)
class Dominance:
    """Which of the k coordinates count, and how finely.

    Attributes:
        n: the first ``n`` coordinates are minimised; the rest is carried along.
        epsilon: the first coordinate is compared in steps of this size; 0 compares exactly.
    """

    n: int
    epsilon: float = 0.0

    def keys(self, values: Table) -> Table:
        keys = values[..., : self.n]
        if self.epsilon > 0:
            keys = keys.copy()
            keys[..., 0] = np.floor(keys[..., 0] / self.epsilon)
        return keys


def prune(values: Table, dominance: Dominance) -> tuple[Table, Index]:
    """The non-dominated points of each set.

    Args:
        values: ``(s, m, k)``: s sets of at most m points; absent points are inf.
        dominance: how points compare; of equal points one is kept.

    Returns:
        ``(s, p, k)`` values, padded with inf, and ``(s, p)`` positions they had among the m.
    """
    keys = dominance.keys(values)
    if dominance.n == 1:
        found = keys[..., 0].argmin(axis=1)[:, None]
        return np.take_along_axis(values, found[..., None], axis=1), found.astype(np.int64)
    if dominance.n == 2:
        return _compact(values, *_sweep(keys))
    kept = np.zeros(values.shape[:2], dtype=bool)
    for i, points in enumerate(keys):
        present = np.flatnonzero(np.isfinite(points[:, 0]))
        if len(present):
            kept[i, present[non_dominated(points[present], distinct=True)]] = True
    return _compact(values, np.broadcast_to(np.arange(kept.shape[1]), kept.shape), kept)


def _sweep(keys: Table) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Order by the second coordinate, and which of each ordered set lower the running minimum of the first."""
    order = keys[..., 1].argsort(axis=1)
    first = np.take_along_axis(keys[..., 0], order, axis=1)
    second = np.take_along_axis(keys[..., 1], order, axis=1)
    kept = np.isfinite(second)
    kept[:, 1:] &= first[:, 1:] < np.minimum.accumulate(first, axis=1)[:, :-1]
    # Where the second coordinate ties, the last one kept is the best: those before it go.
    tied = np.flatnonzero((second[:, 1:] == second[:, :-1]).any(axis=1))
    for i in tied:
        at = np.flatnonzero(kept[i])
        kept[i, at[:-1][second[i, at[1:]] == second[i, at[:-1]]]] = False
    return order, kept


def _compact(values: Table, order: NDArray[np.intp], kept: NDArray[np.bool_]) -> tuple[Table, Index]:
    count = kept.sum(axis=1)
    width = max(int(count.max(initial=0)), 1)
    rows, columns = np.nonzero(kept)
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    place = np.arange(len(rows)) - starts[rows]
    index = np.zeros((len(values), width), dtype=np.int64)
    index[rows, place] = order[rows, columns]
    pruned = np.full((len(values), width, values.shape[2]), np.inf)
    pruned[rows, place] = values[rows, index[rows, place]]
    return pruned, index


def outer(left: Table, right: Table, dominance: Dominance) -> tuple[Table, Index]:
    """Sums of every point of ``(s, p, k)`` with every point of ``(s, q, k)``, pruned.

    Returns:
        ``(s, m, k)`` values and ``(s, m)`` codes ``i * q + j`` of the pair summed.

    Raises:
        SpaceError: more points than can be held.
    """
    s, p, k = left.shape
    q = right.shape[1]
    sets = max(1, CHUNK // (p * q))
    block = max(1, CHUNK // q)
    parts = []
    for start in range(0, s, sets):
        pieces = []
        for first in range(0, p, block):
            a, b = left[start : start + sets, first : first + block], right[start : start + sets]
            sums = (a[:, :, None] + b[:, None]).reshape(len(a), -1, k)
            values, index = prune(sums, dominance)
            pieces.append((values, index + first * q))
        values = np.concatenate([v for v, _ in pieces], axis=1)
        codes = np.concatenate([c for _, c in pieces], axis=1)
        if len(pieces) > 1:
            values, index = prune(values, dominance)
            codes = np.take_along_axis(codes, index, axis=1)
        parts.append((values, codes))
        if sum(v.shape[0] * v.shape[1] for v, _ in parts) > MAX_POINTS:
            raise SpaceError("the exact front", f"it has more than {MAX_POINTS:,} partial sums", "give an epsilon")
    width = max(v.shape[1] for v, _ in parts)
    values = np.full((s, width, k), np.inf)
    codes = np.zeros((s, width), dtype=np.int64)
    at = 0
    for v, c in parts:
        values[at : at + len(v), : v.shape[1]] = v
        codes[at : at + len(v), : v.shape[1]] = c
        at += len(v)
    return values, codes
