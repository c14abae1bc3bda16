"""Bounds that keep the exact search small: partial sums that no row within the limits can extend go.

Three uses of the exact least and most that the rest of a row can add: sums that must break a budget
are dropped; coordinates that cannot break theirs any more are levelled, so that more points compare;
and with one cost to minimise, sums that cannot beat the best row known are dropped by a Lagrangian
bound, which leaves a thin core of the sets (as in multiple-choice knapsack solvers).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.errors import InfeasibleError
from hwnas.search._buckets import Bounds, Table, aligned, bounds, build
from hwnas.space import AdditiveCost, SearchSpace


class Pruner:
    """Prunes partial sums whose columns are the costs, then the limited metrics.

    Raises:
        InfeasibleError: a limit is below the least value of its metric.
    """

    def __init__(
        self, space: SearchSpace, costs: Sequence[AdditiveCost], limits: Sequence[tuple[AdditiveCost, float]]
    ) -> None:
        self.space = space
        self.limits = limits
        metrics = [*costs, *(metric for metric, _ in limits)]
        self.buckets = build(space, metrics)
        self._drop: list[tuple[int, Bounds, float]] = []
        self._level: list[tuple[int, Bounds, float]] = []
        unit = np.eye(len(metrics))
        for column, (_, upper) in enumerate(limits, start=len(costs)):
            least = bounds(self.buckets, unit[column], space.n_genes)
            if least.minimum > upper:
                raise self.infeasible()
            # Sums differ in their last digits with the order of summation; the end result is filtered exactly.
            self._drop.append((column, least, upper + 1e-9 * max(abs(upper), 1.0)))
            self._level.append((column, bounds(self.buckets, -unit[column], space.n_genes), upper))

    def __call__(self, values: Table, bucket: int, unmerged: Sequence[int]) -> None:
        """Set hopeless sums of ``(*sizes, p, k)`` to inf and level what no longer matters, in place.

        Args:
            values: partial sums over the bucket's axes.
            bucket: where they are.
            unmerged: children of the bucket they do not contain yet.
        """
        for column, least, upper in self._drop:
            rest = self._rest(least, bucket, unmerged)
            values[values[..., column] + rest[..., None] > upper] = np.inf
        for column, least_negative, upper in self._level:
            most = -self._rest(least_negative, bucket, unmerged)
            values[..., column] = np.maximum(values[..., column], upper - most[..., None])

    def _rest(self, found: Bounds, bucket: int, unmerged: Sequence[int]) -> Table:
        """The least that everything not merged yet adds, over the bucket's axes."""
        b = self.buckets[bucket]
        rest = found.outside[bucket] if b.gene is None else found.outside[bucket][..., None]
        for child in unmerged:
            rest = rest + aligned(found.inside[child], self.buckets[child].scope, b.axes)
        return rest

    def infeasible(self) -> InfeasibleError:
        budgets = ", ".join(f"{upper:g}" for _, upper in self.limits)
        return InfeasibleError(f"budgets {budgets}", f"no subnet of {self.space.name} meets them all", "raise one")
