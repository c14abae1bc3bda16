"""Exact Pareto fronts of additive metrics, by variable elimination with Pareto sets as messages.

Several sums over few-gene factors are minimised at once: a bucket's message holds, for every setting
of its scope, the non-dominated partial sums below it (Rollon and Larrosa 2006, "Bucket elimination
for multiobjective optimization problems"). Sets are padded arrays, merged by outer sums and pruned
by sort and sweep; back-pointers give the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search._buckets import Bucket, Table, aligned, choices
from hwnas.search._pareto import non_dominated
from hwnas.search._prune import Pruner
from hwnas.search._sets import Dominance, Index, outer, prune
from hwnas.space import AdditiveCost, Population, SearchSpace


@dataclass(frozen=True)
class _Step:
    """One pruning, for trace-back: ``code // width`` and ``code % width`` are the two things it joined."""

    codes: Index
    width: int


@dataclass(frozen=True)
class _Trail:
    """How a bucket's message was made: which child was merged when, then the choice of its gene."""

    merges: list[tuple[int, _Step]]
    choice: _Step | None


def exact_front(
    space: SearchSpace,
    costs: Sequence[AdditiveCost],
    limits: Sequence[tuple[AdditiveCost, float]] = (),
    *,
    epsilon: float = 0.0,
) -> Population:
    """Rows whose costs, all minimised, form the whole Pareto front of the space's domain within the limits.

    Args:
        space: the space, restricted or not.
        costs: one or more metrics to minimise (negate what is to be maximised).
        limits: budgets on further metrics, or on the same ones: ``metric(x) <= upper``.
        epsilon: 0 for the exact front. Otherwise every point of the exact front has a returned row
            that is worse by at most ``epsilon`` in the first cost, and not worse in any other.

    Returns:
        ``(n, g)`` canonical rows, one per point of the front, in no particular order.

    Raises:
        InfeasibleError: no row is within the limits.
        SpaceError: the front is too large to be held; says to give an epsilon.
    """
    pruner = Pruner(space, costs, limits)
    buckets = pruner.buckets
    steps = sum(len(b.children) + 1 for b in buckets)
    dominance = Dominance(len(costs) + len(limits), epsilon / steps)
    trails, points = _eliminate(buckets, pruner, dominance)
    kept = choices(space)
    positions = _trace(buckets, trails, points, space.n_genes)
    x = np.stack([kept[g][positions[:, g]] for g in range(space.n_genes)], axis=1).astype(np.int16)
    for metric, upper in limits:
        x = x[metric(x) <= upper]
    if not len(x):
        raise pruner.infeasible()
    values = np.stack([cost(x) for cost in costs], axis=1)
    return x[non_dominated(values, distinct=True)]


def _eliminate(buckets: list[Bucket], pruner: Pruner, dominance: Dominance) -> tuple[list[_Trail], NDArray[np.intp]]:
    """Messages up the tree; returns how each was made, and which points the root's set holds."""
    messages: list[Table] = []
    trails: list[_Trail] = []
    for i, bucket in enumerate(buckets):
        sizes = bucket.table.shape[:-1]
        values = bucket.table[..., None, :].copy()
        unmerged = sorted(bucket.children, key=lambda c: messages[c].shape[-2])
        merges = []
        while unmerged:
            child = unmerged.pop(0)
            message = aligned(messages[child], buckets[child].scope, bucket.axes)
            message = np.broadcast_to(message, (*sizes, *message.shape[-2:]))
            flat, codes = outer(_flat(values), _flat(message), dominance)
            values = flat.reshape(*sizes, *flat.shape[1:])
            merges.append((child, _Step(codes.reshape(*sizes, -1), message.shape[-2])))
            pruner(values, i, unmerged)
        choice = None
        if bucket.gene is not None:
            width, k = values.shape[-2:]
            flat, codes = prune(values.reshape(-1, sizes[-1] * width, k), dominance)
            choice = _Step(codes.reshape(*sizes[:-1], -1), width)
            values = flat.reshape(*sizes[:-1], *flat.shape[1:])
        messages.append(values)
        trails.append(_Trail(merges, choice))
    return trails, np.flatnonzero(np.isfinite(messages[-1]).all(axis=-1))


def _flat(values: Table) -> Table:
    return values.reshape(-1, *values.shape[-2:])


def _trace(buckets: list[Bucket], trails: list[_Trail], points: NDArray[np.intp], n_genes: int) -> NDArray[np.intp]:
    """``(n, n_genes)`` domain positions of points of the root's set, by following back-pointers down the tree."""
    row = np.zeros((len(points), n_genes), dtype=np.intp)
    pending = [(len(buckets) - 1, points)]
    while pending:
        i, at = pending.pop()
        bucket, trail = buckets[i], trails[i]
        if trail.choice is not None and bucket.gene is not None:
            code = trail.choice.codes[(*(row[:, g] for g in bucket.scope), at)]
            row[:, bucket.gene], at = code // trail.choice.width, code % trail.choice.width
        for child, step in reversed(trail.merges):
            code = step.codes[(*(row[:, g] for g in bucket.axes), at)]
            at = code // step.width
            pending.append((child, code % step.width))
    return row
