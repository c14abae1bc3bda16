"""What is known exactly where metrics are additive: whole fronts, starting rows, the distance to the optimum."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from hwnas.errors import InfeasibleError, SpaceError
from hwnas.search.exact._buckets import bounds, build, choices
from hwnas.search.exact._exact import exact_front
from hwnas.search.exact._prune import Limit, weighted
from hwnas.search.problem._pareto import hypervolume
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Metric, Problem
from hwnas.search.problem._result import SearchOptions, SearchResult
from hwnas.space import AdditiveCost, PeakMemory, Population

MAX_START = 2000
"""Rows of an exact front to start from; a longer one is thinned."""

MOST_ROWS = 300_000
"""Rows of a space (settings of its genes) that are small enough to be scored one and all."""

DIRECTIONS = 100
"""Weighted sums minimised, where there are more than two objectives."""


def exact(problem: Problem, options: SearchOptions) -> SearchResult:
    """The exact front, where every objective is a sum and every budget a sum or a maximum; else by scoring all rows.

    Raises:
        SpaceError: a metric is neither and the space too large, or the front is and wants an epsilon.
        InfeasibleError: no subnet is within the budgets.
    """
    pool = Pool(problem)
    if all_additive(problem):
        pool.score(_front(problem, options.epsilon))
    else:
        x = problem.space.every(MOST_ROWS)
        if x is None:
            raise _no_sum(problem)
        pool.score(x)
    pool.record(1, 1, options.progress)
    return pool.result("exact", options.seed, {"epsilon": options.epsilon})


def additive_start(problem: Problem, options: SearchOptions) -> Population | None:
    """Rows to start from: those given, and the exact front of the additive part where that is known.

    Objectives that are not additive take part through their approximations in the options; with more
    than two objectives the rows are minima of weighted sums.
    """
    given = [] if options.seeds is None else [problem.space.canonical(options.seeds)]
    costs, limits = _sums(problem, options.additive)
    if costs is not None:
        if len(costs) > 2:
            given.append(_supported(problem, costs))
        else:
            try:
                front = exact_front(problem.space, costs, limits)
            except SpaceError:  # too large: the corners of its convex hull will do
                front = _supported(problem, costs)
            along = np.argsort(costs[-1](front), kind="stable")
            kept = np.linspace(0, len(front) - 1, min(len(front), MAX_START)).astype(int)
            given.append(front[along[kept]])
    return np.concatenate(given) if given else None


def certificate(pool: Pool, options: SearchOptions) -> dict[str, float]:
    """``exact_share``: the part of the exact front's hypervolume that was found; only where all is additive."""
    problem = pool.problem
    if not all_additive(problem) or len(problem.objectives) > 2 or not len(pool.x):
        return {}
    best = Pool(problem)
    best.score(_front(problem, options.epsilon))
    corner = np.maximum(pool.costs.max(axis=0), best.costs.max(axis=0))
    corner = corner + 0.01 * np.maximum(np.ptp(best.costs, axis=0), 1e-9)
    return {"exact_share": hypervolume(pool.costs, corner.tolist()) / hypervolume(best.costs, corner.tolist())}


def all_additive(problem: Problem) -> bool:
    """Whether every objective is a sum over layers, and every budget on a sum or a maximum: the front can be computed."""
    exact_budgets = all(
        isinstance(c.fn, AdditiveCost) or (isinstance(c.fn, PeakMemory) and c.lower == -math.inf)
        for c in problem.constraints
    )
    return exact_budgets and _sums(problem, {})[0] is not None


def _front(problem: Problem, epsilon: float) -> Population:
    """The exact front of a problem of which all is additive; budgets are named where none meets them."""
    costs, limits = _sums(problem, {})
    try:
        return exact_front(problem.space, costs or [], limits, epsilon=epsilon)
    except InfeasibleError as error:
        budgets = ", ".join(map(str, problem.constraints))
        raise InfeasibleError(budgets, error.rule, error.remedy) from error


def _no_sum(problem: Problem) -> SpaceError:
    """Why a front cannot be computed."""
    allowed = {c.name for c in problem.constraints} - {o.name for o in problem.objectives}
    other = [
        name
        for name, fn in problem.metrics.items()
        if not isinstance(fn, AdditiveCost) and not (name in allowed and isinstance(fn, PeakMemory))
    ]
    peak = [name for name in other if isinstance(problem.metrics[name], PeakMemory)]
    remedy = f"make {peak[0]} a budget, or use nsga2" if peak == other else "use nsga2, or an additive predictor"
    return SpaceError("searcher exact", f"{', '.join(other)} is no sum over layers", remedy)


def _sums(
    problem: Problem, approximations: Mapping[str, AdditiveCost]
) -> tuple[list[AdditiveCost] | None, list[Limit]]:
    """Every objective as an additive cost to minimise, None if one has none; and the budgets as limits on sums.

    A budget on a maximum forbids the layers above it: it becomes part of one of the sums.
    """
    forbidden = [f for c in problem.constraints if isinstance(c.fn, PeakMemory) for f in c.fn.at_most(c.upper)]
    first = next((fn for fn in problem.metrics.values() if isinstance(fn, AdditiveCost)), None)
    confined = None if first is None else AdditiveCost(problem.space, [*first.factors, *forbidden])

    def sum_of(name: str, fn: Metric) -> AdditiveCost | None:
        if fn is first:  # one object wherever it occurs: an objective with a budget is one coordinate
            return confined if forbidden else first
        return fn if isinstance(fn, AdditiveCost) else approximations.get(name)

    costs = []
    for objective in problem.objectives:
        fn = sum_of(objective.name, objective.fn)
        if fn is None:
            return None, []
        costs.append(weighted(problem.space, [fn], [-1.0]) if objective.maximise else fn)
    limits: list[Limit] = []
    for c in problem.constraints:
        fn = sum_of(c.name, c.fn) if isinstance(c.fn, AdditiveCost) else None
        if fn is not None and c.upper < math.inf:
            limits.append((fn, c.upper))
        if isinstance(c.fn, AdditiveCost) and c.lower > -math.inf:
            limits.append((weighted(problem.space, [c.fn], [-1.0]), -c.lower))
    return costs, limits


def _supported(problem: Problem, costs: list[AdditiveCost]) -> Population:
    """Minima of weighted sums of the costs, each scaled to its own range; budgets are not heeded."""
    from hwnas.search.evolve._pymoo import reference_directions  # noqa: PLC0415, takes a second

    n = problem.space.n_genes
    buckets = build(problem.space, costs)
    unit = np.eye(len(costs))
    spans = [-bounds(buckets, -u, n).minimum - bounds(buckets, u, n).minimum for u in unit]
    scale = 1.0 / np.maximum(spans, 1e-12)
    positions = [bounds(buckets, w * scale, n).row for w in reference_directions(len(costs), DIRECTIONS)]
    kept = choices(problem.space)
    x = np.array([[kept[g][i] for g, i in enumerate(row)] for row in positions], dtype=np.int16)
    return np.unique(x, axis=0)
