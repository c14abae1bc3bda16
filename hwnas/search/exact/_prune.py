"""Bounds that keep the exact search small: they drop partial sums that no wanted row extends.

The least and the most that the rest of a row can add are known exactly, and used in three ways. Sums that must break a
budget are dropped. Coordinates that can no longer break their budget are levelled, so that more points compare as
equal. With one cost to minimise, sums whose Lagrangian bound is above a ceiling are dropped too, which leaves a thin
core of the sets, as in solvers of multiple-choice knapsacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import InfeasibleError
from hwnas.search.exact._buckets import Bounds, bounds, build
from hwnas.search.exact._sets import Cuts
from hwnas.search.problem._capabilities import Additive
from hwnas.space import AdditiveCost, Factor, SearchSpace, aligned

Limit = tuple[Additive, float]
"""A metric and its upper bound."""


@dataclass(frozen=True)
class Ceiling:
    """An upper bound on a weighted sum of all ``joint_metrics``, which every wanted row keeps."""

    weights: tuple[float, ...]
    upper: float


def _with_margin(upper: float) -> float:
    """The bound with a margin, since the last digits of a sum depend on its order. The end result is filtered exactly."""
    return upper + 1e-9 * max(abs(upper), 1.0)


class Pruner:
    """Computes the cuts of every stage of the elimination.

    Attributes:
        buckets: the bucket tree of all metrics.
        n: number of metrics that decide dominance: the costs, then limited metrics that are not costs.

    Raises:
        InfeasibleError: a limit is below the least value of its metric.
    """

    def __init__(
        self,
        space: SearchSpace,
        costs: Sequence[Additive],
        limits: Sequence[Limit],
        ceiling: Ceiling | None = None,
    ) -> None:
        metrics = joint_metrics(costs, limits)
        self.n = len(metrics)
        if ceiling is not None:
            metrics.append(weighted(space, metrics, ceiling.weights))
        self.buckets = build(space, metrics)
        self._drop: list[tuple[int, Bounds, float]] = []
        self._level: list[tuple[int, Bounds, float]] = []
        unit = np.eye(len(metrics))
        for metric, upper in limits:
            column = next(i for i, m in enumerate(metrics) if m is metric)
            least = bounds(self.buckets, unit[column])
            if least.minimum > _with_margin(upper):
                raise infeasible(space, limits)
            self._drop.append((column, least, upper))
            if column >= len(costs):
                self._level.append((column, bounds(self.buckets, -unit[column]), upper))
        if ceiling is not None:
            self._drop.append((self.n, bounds(self.buckets, unit[-1]), ceiling.upper))

    def cuts(self, bucket: int, unmerged: Sequence[int]) -> Cuts:
        """Cuts of partial sums over a bucket's axes, to which some of its children are still to be added."""
        drop = [
            (column, _with_margin(upper) - self._rest(least, bucket, unmerged)) for column, least, upper in self._drop
        ]
        level = [(column, upper + self._rest(most, bucket, unmerged)) for column, most, upper in self._level]
        return Cuts(drop, level)

    def message_cuts(self, bucket: int) -> Cuts:
        """Cuts of a bucket's message, over its scope."""
        level = [(column, upper + most.outside[bucket].ravel()) for column, most, upper in self._level]
        return Cuts([], level)

    def _rest(self, found: Bounds, bucket: int, unmerged: Sequence[int]) -> NDArray[np.float64]:
        """The least sum of everything that is not merged yet, flattened over the bucket's axes."""
        b = self.buckets[bucket]
        rest = found.outside[bucket] if b.gene is None else found.outside[bucket][..., None]
        for child in unmerged:
            rest = rest + aligned(found.inside[child], self.buckets[child].scope, b.axes)
        return np.broadcast_to(rest, b.table.shape[:-1]).ravel()


def joint_metrics(costs: Sequence[Additive], limits: Sequence[Limit]) -> list[Additive]:
    """The costs, then each limited metric that is not a cost."""
    metrics = list(costs)
    for metric, _ in limits:
        if all(metric is not m for m in metrics):
            metrics.append(metric)
    return metrics


def weighted(space: SearchSpace, metrics: Sequence[Additive], weights: Sequence[float]) -> AdditiveCost:
    """The weighted sum of additive metrics."""
    factors = [Factor(f.genes, w * f.table) for metric, w in zip(metrics, weights, strict=True) for f in metric.factors]
    return AdditiveCost(space, factors)


def infeasible(space: SearchSpace, limits: Sequence[Limit]) -> InfeasibleError:
    """The error for limits that no row meets jointly."""
    budgets = ", ".join(f"{upper:g}" for _, upper in limits)
    return InfeasibleError(f"budgets {budgets}", f"no subnet of {space.name} meets them all", "raise one")
