"""Pruning and outer sums of Pareto sets in padded arrays: the inner loop of the exact search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.search.problem._pareto import non_dominated

Table = NDArray[np.float64]
Index = NDArray[np.int64]

CHUNK = 1_000_000
"""Most sums formed at once."""

MAX_POINTS = 4_000_000
"""Most points kept at once, over all settings."""


@dataclass(frozen=True)
class Dominance:
    """Which of the k coordinates decide dominance, and how finely.

    Attributes:
        n: the first ``n`` coordinates are minimised; the others are carried along.
        epsilon: step size in which the first coordinate is compared; 0 compares exactly.
    """

    n: int
    epsilon: float = 0.0


@dataclass(frozen=True)
class Cuts:
    """Cuts of s sets: columns, each with ``(s,)`` thresholds.

    Attributes:
        drop: points above the threshold are dropped.
        level: values below the threshold are raised to it when points are compared.
    """

    drop: list[tuple[int, NDArray[np.float64]]]
    level: list[tuple[int, NDArray[np.float64]]]

    def of(self, sets: slice) -> Cuts:
        """The cuts of some of the sets."""
        return Cuts([(c, t[sets]) for c, t in self.drop], [(c, t[sets]) for c, t in self.level])

    def apply(self, values: Table) -> None:
        """Drop points of ``(s, m, k)`` values, in place: they become inf."""
        for column, most in self.drop:
            values[values[..., column] > most[:, None]] = np.inf


def _keys(values: Table, dominance: Dominance, cuts: Cuts) -> Table:
    """``(s, m, n)`` coordinates in the form that is compared."""
    keys = values[..., : dominance.n]
    if dominance.epsilon > 0 or cuts.level:
        keys = keys.copy()
    for column, floor in cuts.level:
        np.maximum(keys[..., column], floor[:, None], out=keys[..., column])
    if dominance.epsilon > 0:
        keys[..., 0] = np.floor(keys[..., 0] / dominance.epsilon)
    return keys


def prune(values: Table, dominance: Dominance, cuts: Cuts) -> tuple[Table, Index]:
    """The non-dominated points of each set.

    Args:
        values: ``(s, m, k)``: s sets of at most m points; absent points are inf.
        dominance: how points compare; one of equal points is kept.
        cuts: levels of the comparison; its drops must be applied already.

    Returns:
        ``(s, p, k)`` values, padded with inf, and their ``(s, p)`` positions among the m points.
    """
    keys = _keys(values, dominance, cuts)
    if dominance.n == 1:
        found = keys[..., 0].argmin(axis=1)[:, None]
        return np.take_along_axis(values, found[..., None], axis=1), found.astype(np.int64)
    if dominance.n == 2:
        return _compact(values, *_sweep(keys))
    kept = np.zeros((len(values), values.shape[1]), dtype=bool)
    for i, points in enumerate(keys):
        present = np.flatnonzero(np.isfinite(points[:, 0]))
        if len(present):
            kept[i, present[non_dominated(points[present], distinct=True)]] = True
    return _compact(values, np.broadcast_to(np.arange(kept.shape[1]), kept.shape), kept)


def _sweep(keys: Table) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The order of each set by the second coordinate, and which ordered points lower the running minimum of the first."""
    order = keys[..., 1].argsort(axis=1)
    first = np.take_along_axis(keys[..., 0], order, axis=1)
    second = np.take_along_axis(keys[..., 1], order, axis=1)
    kept = np.isfinite(second)
    kept[:, 1:] &= first[:, 1:] < np.minimum.accumulate(first, axis=1)[:, :-1]
    # Among kept points that tie in the second coordinate, the last is the best; drop those before it.
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


def outer(left: Table, right: Table, dominance: Dominance, cuts: Cuts) -> tuple[Table, Index]:
    """Sums of every point of ``(s, p, k)`` with every point of ``(s, q, k)``, cut and pruned.

    Args:
        left, right: padded sets.
        dominance: how points compare.
        cuts: cuts of the sums.

    Returns:
        ``(s, m, k)`` values, and ``(s, m)`` codes ``i * q + j`` of the summed pairs.

    Raises:
        SpaceError: there are more points than ``MAX_POINTS``.
    """
    s, p, k = left.shape
    q = right.shape[1]
    sets = max(1, CHUNK // (p * q))
    block = max(1, CHUNK // q)
    parts = []
    for start in range(0, s, sets):
        stop = min(start + sets, s)
        here = cuts.of(slice(start, stop))
        pieces = []
        for first in range(0, p, block):
            a, b = left[start:stop, first : first + block], right[start:stop]
            sums = (a[:, :, None] + b[:, None]).reshape(stop - start, -1, k)
            here.apply(sums)
            values, index = prune(sums, dominance, here)
            pieces.append((values, index + first * q))
        values = np.concatenate([v for v, _ in pieces], axis=1)
        codes = np.concatenate([c for _, c in pieces], axis=1)
        if len(pieces) > 1:
            values, index = prune(values, dominance, here)
            codes = np.take_along_axis(codes, index, axis=1)
        parts.append((values, codes))
        if sum(v.shape[0] * v.shape[1] for v, _ in parts) > (MAX_POINTS if dominance.n < 3 else MAX_POINTS // 10):
            raise SpaceError("the exact front", "it has too many partial sums to be held", "give an epsilon")
    return _stacked(parts, k)


def _stacked(parts: list[tuple[Table, Index]], k: int) -> tuple[Table, Index]:
    """Blocks of sets one after the other, padded to the widest."""
    s = sum(len(v) for v, _ in parts)
    width = max(v.shape[1] for v, _ in parts)
    values = np.full((s, width, k), np.inf)
    codes = np.zeros((s, width), dtype=np.int64)
    at = 0
    for v, c in parts:
        values[at : at + len(v), : v.shape[1]] = v
        codes[at : at + len(v), : v.shape[1]] = c
        at += len(v)
    return values, codes
