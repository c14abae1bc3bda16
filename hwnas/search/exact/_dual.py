"""The Lagrangian dual of minimising one additive cost under additive limits, by cutting planes (Kelley 1960)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.search.exact._buckets import bounds, build
from hwnas.search.exact._prune import Limit, joint_metrics
from hwnas.search.problem._capabilities import Additive
from hwnas.space import SearchSpace

ITERATIONS = 80


@dataclass(frozen=True)
class Dual:
    """A lower bound on the cost of every row within the limits.

    Attributes:
        multipliers: weights, one per metric of ``joint_metrics``; 1 for a cost without limit, which adds its multiplier.
        bound: no row within the limits costs less.
        shift: sum of multiplier times limit; ``bound + shift`` bounds the weighted sum of any row from below.
        best: least cost of the rows within the limits that were found on the way; inf if there was none.
    """

    multipliers: tuple[float, ...]
    bound: float
    shift: float
    best: float


def solve_dual(space: SearchSpace, cost: Additive, limits: Sequence[Limit]) -> Dual:
    """Maximise ``min over x of cost(x) + sum of l_j (metric_j(x) - limit_j)`` over multipliers ``l >= 0``."""
    from scipy.optimize import linprog  # half a second to import, and only budgets need it

    metrics = joint_metrics([cost], limits)
    # If a metric has several limits, only the tightest matters.
    upper = np.array([min([u for m, u in limits if m is metric], default=np.inf) for metric in metrics])
    limited = np.flatnonzero(np.isfinite(upper))
    buckets = build(space, metrics)
    unit = np.eye(len(metrics))
    least = np.array([bounds(buckets, axis).minimum for axis in unit])
    most = -bounds(buckets, -unit[0]).minimum
    slack = np.maximum(upper[limited] - least[limited], 1e-9 * np.maximum(np.abs(upper[limited]), 1.0))
    ceiling = 2.0 * max(most - least[0], 1e-12) / slack
    multipliers = np.zeros(len(limited))
    found, best_bound, best = multipliers, -np.inf, np.inf
    rows, rights = [], []
    for _ in range(ITERATIONS):
        relaxed = bounds(buckets, unit[0] + multipliers @ unit[limited])
        bound = relaxed.minimum - float(multipliers @ upper[limited])
        if bound > best_bound:
            found, best_bound = multipliers, bound
        values = np.sum([b.table[tuple(relaxed.row[g] for g in b.axes)] for b in buckets], axis=0)
        excess = values[limited] - upper[limited]
        if (excess <= 0).all():
            best = min(best, float(values[0]))
        rows.append([1.0, *(-excess)])
        rights.append(float(values[0]))
        box = [(None, None), *((0.0, c) for c in ceiling)]
        master = linprog([-1.0, *(0.0 for _ in limited)], A_ub=rows, b_ub=rights, bounds=box, method="highs")
        if master.x is None or master.x[0] - best_bound <= 1e-6 * max(1.0, abs(best_bound)):
            break
        multipliers = np.asarray(master.x[1:])
    weights = unit[0] + found @ unit[limited]
    return Dual(tuple(weights.tolist()), best_bound, float(found @ upper[limited]), best)
