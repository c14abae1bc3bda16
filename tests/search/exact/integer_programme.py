"""The best row under budgets by HiGHS: another road to the same optimum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

from hwnas.space import AdditiveCost, SearchSpace, domain_factors


def milp_minimum(space: SearchSpace, cost: AdditiveCost, limits: Sequence[tuple[AdditiveCost, float]]) -> float:
    """Least cost within the limits: one binary per gene and choice, one weight per setting of every factor."""
    scopes = list(dict.fromkeys(f.genes for c in (cost, *(m for m, _ in limits)) for f in c.factors))
    scopes += [f.genes for f in domain_factors(space) if f.genes not in scopes]
    sizes = [len(g.choices) for g in space.genes]
    first = np.concatenate([[0], np.cumsum(sizes)])
    start, at = {}, int(first[-1])
    for scope in scopes:
        start[scope] = at
        at += int(np.prod([sizes[g] for g in scope]))

    def coefficients(metric: AdditiveCost) -> np.ndarray:
        row = np.zeros(at)
        for factor in metric.factors:
            weight = slice(start[factor.genes], start[factor.genes] + factor.table.size)
            row[weight] = np.nan_to_num(factor.table).ravel()
        return row

    forbidden = np.zeros(at, dtype=bool)
    for metric in (cost, *(m for m, _ in limits)):
        for factor in metric.factors:
            forbidden[start[factor.genes] : start[factor.genes] + factor.table.size] |= np.isnan(factor.table).ravel()
    for factor in domain_factors(space):
        forbidden[start[factor.genes] : start[factor.genes] + factor.table.size] |= np.isnan(factor.table).ravel()
    rows = []
    for gene, size in enumerate(sizes):
        rows.append((dict.fromkeys(range(first[gene], first[gene] + size), 1.0), 1.0))
    for scope in scopes:
        settings = np.indices([sizes[g] for g in scope]).reshape(len(scope), -1)
        for axis, gene in enumerate(scope):
            for choice in range(sizes[gene]):
                weights = start[scope] + np.flatnonzero(settings[axis] == choice)
                rows.append((dict.fromkeys(weights.tolist(), 1.0) | {int(first[gene]) + choice: -1.0}, 0.0))
    equal = lil_matrix((len(rows), at))
    for i, (entries, _) in enumerate(rows):
        for column, value in entries.items():
            equal[i, column] = value
    right = [r for _, r in rows]
    constraints = [LinearConstraint(equal.tocsr(), right, right)]
    constraints += [LinearConstraint(coefficients(metric)[None], -np.inf, upper) for metric, upper in limits]
    integrality = np.zeros(at)
    integrality[: first[-1]] = 1
    bounds = Bounds(0, np.where(forbidden, 0.0, 1.0))
    found = milp(
        coefficients(cost), constraints=constraints, integrality=integrality, bounds=bounds, options={"mip_rel_gap": 0}
    )
    assert found.success, found.message
    return float(found.fun)
