"""What is known exactly where metrics are additive: whole fronts, starting rows, the distance to the optimum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hwnas.errors import SpaceError
from hwnas.search._buckets import bounds, build, choices
from hwnas.search._exact import exact_front
from hwnas.search._pareto import hypervolume
from hwnas.search._pool import Pool
from hwnas.search._problem import Problem
from hwnas.search._prune import Limit, weighted
from hwnas.search._result import SearchOptions, SearchResult
from hwnas.space import AdditiveCost, Population

MAX_START = 2000
"""Rows of an exact front to start from; a longer one is thinned."""

DIRECTIONS = 100
"""Weighted sums minimised, where there are more than two objectives."""


def exact(problem: Problem, options: SearchOptions) -> SearchResult:
    """The exact front; every objective and every budget must be additive.

    Raises:
        SpaceError: a metric is not additive, or the front is too large and wants an epsilon.
        InfeasibleError: no subnet is within the budgets.
    """
    costs, limits = _costs(problem, {}), _limits(problem)
    if costs is None or len(limits) < len(problem.constraints):
        other = [name for name, fn in problem.metrics.items() if not isinstance(fn, AdditiveCost)]
        raise SpaceError(
            "searcher exact", f"{', '.join(other)} is no sum over layers", "use nsga2, or an additive predictor"
        )
    pool = Pool(problem)
    pool.score(exact_front(problem.space, costs, limits, epsilon=options.epsilon))
    pool.record(1, 1, options.progress)
    return pool.result("exact", options.seed, {"epsilon": options.epsilon})


def additive_start(problem: Problem, options: SearchOptions) -> Population | None:
    """Rows to start from: those given, and the exact front of the additive part where that is known.

    Objectives that are not additive take part through their approximations in the options; with more
    than two objectives the rows are minima of weighted sums.
    """
    given = [] if options.seeds is None else [problem.space.canonical(options.seeds)]
    costs = _costs(problem, options.additive)
    if costs is not None:
        if len(costs) > 2:
            given.append(_supported(problem, costs))
        else:
            try:
                front = exact_front(problem.space, costs, _limits(problem))
            except SpaceError:  # too large: the corners of its convex hull will do
                front = _supported(problem, costs)
            along = np.argsort(costs[-1](front), kind="stable")
            kept = np.linspace(0, len(front) - 1, min(len(front), MAX_START)).astype(int)
            given.append(front[along[kept]])
    return np.concatenate(given) if given else None


def certificate(pool: Pool, options: SearchOptions) -> dict[str, float]:
    """``exact_share``: the part of the exact front's hypervolume that was found; only where all is additive."""
    problem = pool.problem
    costs, limits = _costs(problem, {}), _limits(problem)
    if costs is None or len(costs) > 2 or len(limits) < len(problem.constraints) or not len(pool.x):
        return {}
    best = Pool(problem)
    best.score(exact_front(problem.space, costs, limits, epsilon=options.epsilon))
    corner = np.maximum(pool.costs.max(axis=0), best.costs.max(axis=0))
    corner = corner + 0.01 * np.maximum(np.ptp(best.costs, axis=0), 1e-9)
    return {"exact_share": hypervolume(pool.costs, corner.tolist()) / hypervolume(best.costs, corner.tolist())}


def all_additive(problem: Problem) -> bool:
    """Whether every objective and every budget is a sum over layers, so that the front can be computed."""
    return _costs(problem, {}) is not None and len(_limits(problem)) == len(problem.constraints)


def _costs(problem: Problem, approximations: Mapping[str, AdditiveCost]) -> list[AdditiveCost] | None:
    """Every objective as an additive cost to minimise; None if one has none."""
    costs = []
    for objective in problem.objectives:
        fn = objective.fn if isinstance(objective.fn, AdditiveCost) else approximations.get(objective.name)
        if fn is None:
            return None
        costs.append(weighted(problem.space, [fn], [-1.0]) if objective.maximise else fn)
    return costs


def _limits(problem: Problem) -> list[Limit]:
    return [(c.fn, c.upper) for c in problem.constraints if isinstance(c.fn, AdditiveCost)]


def _supported(problem: Problem, costs: list[AdditiveCost]) -> Population:
    """Minima of weighted sums of the costs, each scaled to its own range; budgets are not heeded."""
    from hwnas.search._pymoo import reference_directions  # noqa: PLC0415, takes a second

    n = problem.space.n_genes
    buckets = build(problem.space, costs)
    unit = np.eye(len(costs))
    spans = [-bounds(buckets, -u, n).minimum - bounds(buckets, u, n).minimum for u in unit]
    scale = 1.0 / np.maximum(spans, 1e-12)
    positions = [bounds(buckets, w * scale, n).row for w in reference_directions(len(costs), DIRECTIONS)]
    kept = choices(problem.space)
    x = np.array([[kept[g][i] for g, i in enumerate(row)] for row in positions], dtype=np.int16)
    return np.unique(x, axis=0)
