"""What is known exactly where metrics are additive: whole fronts, starting rows, the distance to the optimum."""

from __future__ import annotations

import math

import numpy as np

from hwnas.errors import InfeasibleError, SpaceError
from hwnas.search.exact._buckets import bounds, build, choices
from hwnas.search.exact._exact import exact_front
from hwnas.search.exact._prune import Limit, weighted
from hwnas.search.problem._capabilities import Additive, Confining
from hwnas.search.problem._directions import reference_directions
from hwnas.search.problem._pareto import hypervolume
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchResult
from hwnas.search.problem._searcher import SearchOptions
from hwnas.search.problem._stepwise import Steps, Stepwise
from hwnas.space import AdditiveCost, Population

MAX_START = 2000
"""Rows of an exact front to start from; a longer one is thinned."""

MOST_ROWS = 300_000
"""Rows of a space, up to which all of them are scored."""

DIRECTIONS = 100
"""Weighted sums minimised, where there are more than two objectives."""


def exact(problem: Problem, options: SearchOptions) -> Stepwise:
    """The exact front, where every objective is a sum and every budget a sum or a maximum; else by scoring all rows.

    Raises:
        SpaceError: a metric is neither and the space too large, or the front is and wants an epsilon.
        InfeasibleError: no subnet is within the budgets.
    """
    if all_additive(problem):
        x = _front(problem, *_sums(problem), epsilon=options.epsilon)
        what = "subnets on the exact front"
    else:
        every = problem.space.every(MOST_ROWS)
        if every is None:
            raise _no_sum(problem)
        x, what = every, "subnets in the space"
    if len(x) > options.evaluations:
        rule = f"there are {len(x)} {what}, and {options.evaluations} may be evaluated"
        raise SpaceError("searcher exact", rule, "allow more evaluations, or use another searcher")

    def steps(_pool: Pool, _options: SearchOptions) -> Steps:
        yield x

    return Stepwise("exact", problem, options, steps)


def additive_start(problem: Problem, options: SearchOptions) -> Population | None:
    """Rows to start from: those given, and the exact front where all objectives are sums.

    With more than two objectives they are minima of weighted sums.
    """
    given = [] if options.start is None else [problem.space.canonical(options.start)]
    costs, limits = _sums(problem)
    if costs is not None:
        if len(costs) > 2:
            given.append(_supported(problem, costs))
        else:
            try:
                front = _front(problem, costs, limits)
            except SpaceError:  # too large: the corners of its convex hull will do
                front = _supported(problem, costs)
            along = np.argsort(costs[-1](front), kind="stable")
            kept = np.linspace(0, len(front) - 1, min(len(front), MAX_START)).astype(int)
            given.append(front[along[kept]])
    return np.concatenate(given) if given else None


def exact_share(found: SearchResult) -> dict[str, float]:
    """``exact_share``: the part of the exact front's hypervolume that was found; only where that can be computed."""
    problem = found.problem
    if not all_additive(problem) or len(problem.objectives) > 2:
        return {}
    try:
        best = problem.costs(problem.evaluate(_front(problem, *_sums(problem))))
    except SpaceError:  # it is too large
        return {}
    costs = problem.costs(found.values)
    # The margin grows with the values: beside a hundred million MACs a fixed one would round to nothing.
    margin = np.maximum(np.ptp(best, axis=0), 1e-6 * np.abs(best).max(axis=0) + 1e-9)
    corner = np.maximum(costs.max(axis=0), best.max(axis=0)) + 0.01 * margin
    return {"exact_share": hypervolume(costs, corner.tolist()) / hypervolume(best, corner.tolist())}


def all_additive(problem: Problem) -> bool:
    """Whether every objective is a known sum over layers, and every budget on one or on a maximum.

    Then the front can be computed.
    """
    sums, peaks = problem.offering(Additive), problem.offering(Confining)
    exact_budgets = all(c.name in sums or (c.name in peaks and c.lower == -math.inf) for c in problem.constraints)
    return exact_budgets and all(o.name in sums for o in problem.objectives)


def _front(problem: Problem, costs: list[Additive] | None, limits: list[Limit], *, epsilon: float = 0.0) -> Population:
    """The exact front of sums within limits, as `_sums` gives them; budgets are named where no subnet meets them all."""
    try:
        return exact_front(problem.space, costs or [], limits, epsilon=epsilon)
    except InfeasibleError as error:
        budgets = ", ".join(map(str, problem.constraints))
        raise InfeasibleError(budgets, error.rule, "relax one of them") from error


def _no_sum(problem: Problem) -> SpaceError:
    """Why a front cannot be computed."""
    sums, peaks = problem.offering(Additive), problem.offering(Confining)
    budgets = {c.name for c in problem.constraints} - {o.name for o in problem.objectives}
    other = [name for name in problem.metrics if name not in sums and not (name in peaks and name in budgets)]
    peak = [name for name in other if name in peaks]
    remedy = f"make {peak[0]} a budget, or use nsga2" if peak == other else "use nsga2, or an additive predictor"
    return SpaceError("searcher exact", f"{', '.join(other)} is no sum over layers", remedy)


def _sums(problem: Problem) -> tuple[list[Additive] | None, list[Limit]]:
    """Every objective as a sum to minimise, None if one is no sum; and the budgets as limits on sums.

    A budget on a maximum forbids the layers above it: it becomes part of one of the sums.
    """
    sums, peaks = problem.offering(Additive), problem.offering(Confining)
    forbidden = [f for c in problem.constraints if c.name in peaks for f in peaks[c.name].at_most(c.upper)]
    if sums and forbidden:
        # The same object wherever the metric occurs, so that an objective with a budget is one coordinate.
        first = next(iter(sums.values()))
        confined = AdditiveCost(problem.space, [*first.factors, *forbidden])
        sums = {name: confined if fn is first else fn for name, fn in sums.items()}
    if not all(o.name in sums for o in problem.objectives):
        return None, []
    costs = [
        weighted(problem.space, [sums[o.name]], [-1.0]) if o.maximise else sums[o.name] for o in problem.objectives
    ]
    limits: list[Limit] = []
    for c in problem.constraints:
        if c.name in sums and c.upper < math.inf:
            limits.append((sums[c.name], c.upper))
        if c.name in sums and c.lower > -math.inf:
            limits.append((weighted(problem.space, [sums[c.name]], [-1.0]), -c.lower))
    return costs, limits


def _supported(problem: Problem, costs: list[Additive]) -> Population:
    """Minima of weighted sums of the costs, each scaled to its own range; budgets are not heeded."""
    n = problem.space.n_genes
    buckets = build(problem.space, costs)
    unit = np.eye(len(costs))
    spans = [-bounds(buckets, -u, n).minimum - bounds(buckets, u, n).minimum for u in unit]
    scale = 1.0 / np.maximum(spans, 1e-12)
    positions = [bounds(buckets, w * scale, n).row for w in reference_directions(len(costs), DIRECTIONS)]
    kept = choices(problem.space)
    x = np.array([[kept[g][i] for g, i in enumerate(row)] for row in positions], dtype=np.int16)
    return np.unique(x, axis=0)
