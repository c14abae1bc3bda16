"""Exact Pareto fronts of additive metrics, by variable elimination with Pareto sets as messages.

A bucket's message holds, for every setting of its scope, the non-dominated partial sums below it (Rollon and Larrosa
2006, "Bucket elimination for multiobjective optimization problems"). Sets are padded arrays. They are merged by outer
sums and pruned by sort and sweep; back-pointers give the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search.exact._buckets import Bucket, Table, rows_at
from hwnas.search.exact._dual import solve_dual
from hwnas.search.exact._prune import Ceiling, Limit, Pruner, infeasible
from hwnas.search.exact._sets import Dominance, Index, outer, prune
from hwnas.search.problem._capabilities import Additive
from hwnas.search.problem._pareto import non_dominated
from hwnas.space import Population, SearchSpace, aligned

FIRST_BAND = 64
"""The first band above a dual bound is the distance to the best known row, divided by this."""


@dataclass(frozen=True)
class _Step:
    """Back-pointers of one pruning: ``code // width`` and ``code % width`` are the two parts of a kept point."""

    codes: Index
    width: int


@dataclass(frozen=True)
class _Trail:
    """How a bucket's message was made: its children in the order in which they were merged, then the choice of its gene."""

    merges: list[tuple[int, _Step]]
    choice: _Step | None


def exact_front(
    space: SearchSpace,
    costs: Sequence[Additive],
    limits: Sequence[Limit] = (),
    *,
    epsilon: float = 0.0,
) -> Population:
    """Rows whose costs form the whole Pareto front of the space's domain within the limits.

    Args:
        space: the space, restricted or not.
        costs: one or more metrics to minimise; negate metrics to maximise.
        limits: budgets ``metric(x) <= upper``, on these or further metrics.
        epsilon: 0 for the exact front. Otherwise, for every point of the exact front there is a returned row that is
            worse by at most ``epsilon`` in the first cost, and not worse in any other.

    Returns:
        ``(n, g)`` canonical rows, one per point of the front, in no particular order.

    Raises:
        InfeasibleError: no row is within the limits.
        SpaceError: the front is too large; the message says to give an epsilon.
    """
    if len(costs) == 1 and limits:
        return _best(space, costs[0], limits)
    x = _front(space, costs, limits, epsilon)
    if not len(x):
        raise infeasible(space, limits)
    return x


def _best(space: SearchSpace, cost: Additive, limits: Sequence[Limit]) -> Population:
    """The best row for one cost: search a band above the dual bound, and widen it until the best row is inside."""
    Pruner(space, [cost], limits)  # raises if a single limit is infeasible
    dual = solve_dual(space, cost, limits)
    highest = cost.within(space).maximum()[0] if np.isinf(dual.best) else dual.best
    width = max((highest - dual.bound) / FIRST_BAND, 1e-9 * max(1.0, abs(dual.bound)))
    while True:
        upper = min(dual.bound + width, highest)
        x = _front(space, [cost], limits, 0.0, Ceiling(dual.multipliers, upper + dual.shift))
        found = float(cost(x).min()) if len(x) else np.inf
        # A row found in the band may cost more than its ceiling, and a cheaper row may lie above the band.
        if found <= upper or (len(x) and upper >= highest):
            return x
        if upper >= highest:
            raise infeasible(space, limits)
        highest = min(highest, found)
        width *= 3


def _front(
    space: SearchSpace,
    costs: Sequence[Additive],
    limits: Sequence[Limit],
    epsilon: float,
    ceiling: Ceiling | None = None,
) -> Population:
    """The front of the rows under the ceiling, if there is one; may be empty."""
    pruner = Pruner(space, costs, limits, ceiling)
    buckets = pruner.buckets
    steps = sum(len(b.children) + 1 for b in buckets)
    trails, points = _eliminate(pruner, Dominance(pruner.n, epsilon / steps))
    x = rows_at(space, _trace(buckets, trails, points))
    for metric, upper in limits:
        x = x[metric(x) <= upper]
    return x[non_dominated(np.stack([cost(x) for cost in costs], axis=1), distinct=True)]


def _eliminate(pruner: Pruner, dominance: Dominance) -> tuple[list[_Trail], NDArray[np.intp]]:
    """Send messages up the tree; returns how each was made, and the points of the root's set."""
    messages: list[Table] = []
    trails: list[_Trail] = []
    for i, bucket in enumerate(pruner.buckets):
        sizes = bucket.table.shape[:-1]
        values = bucket.table[..., None, :].copy()
        unmerged = sorted(bucket.children, key=lambda c: messages[c].shape[-2])
        merges = []
        pruner.cuts(i, unmerged).apply(_flat(values))
        while unmerged:
            child = unmerged.pop(0)
            message = aligned(messages[child], pruner.buckets[child].scope, bucket.axes)
            message = np.broadcast_to(message, (*sizes, *message.shape[-2:]))
            flat, codes = outer(_flat(values), _flat(message), dominance, pruner.cuts(i, unmerged))
            values = flat.reshape(*sizes, *flat.shape[1:])
            merges.append((child, _Step(codes.reshape(*sizes, -1), message.shape[-2])))
        choice = None
        if bucket.gene is not None:
            width, k = values.shape[-2:]
            flat, codes = prune(values.reshape(-1, sizes[-1] * width, k), dominance, pruner.message_cuts(i))
            choice = _Step(codes.reshape(*sizes[:-1], -1), width)
            values = flat.reshape(*sizes[:-1], *flat.shape[1:])
        messages.append(values)
        trails.append(_Trail(merges, choice))
    return trails, np.flatnonzero(np.isfinite(messages[-1]).all(axis=-1))


def _flat(values: Table) -> Table:
    return values.reshape(-1, *values.shape[-2:])


def _trace(buckets: list[Bucket], trails: list[_Trail], points: NDArray[np.intp]) -> NDArray[np.intp]:
    """``(n, g)`` domain positions of the root's points, found by back-pointers down the tree."""
    row = np.zeros((len(points), len(buckets) - 1), dtype=np.intp)
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
