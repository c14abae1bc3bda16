"""Exact results for additive metrics: whole fronts, starting rows, the distance to the optimum."""

from __future__ import annotations

import math

import numpy as np

from hwnas.errors import InfeasibleError, SpaceError
from hwnas.search.exact._buckets import bounds, build, rows_at
from hwnas.search.exact._exact import exact_front
from hwnas.search.exact._prune import Limit, weighted
from hwnas.search.problem._capabilities import Additive, Confining
from hwnas.search.problem._directions import reference_directions
from hwnas.search.problem._pareto import hypervolume, reference_beyond
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchResult
from hwnas.search.problem._searcher import SearchOptions
from hwnas.search.problem._stepwise import Steps, Stepwise
from hwnas.space import AdditiveCost, Population

MAX_START = 2000
"""Most rows of an exact front to start from; a longer front is thinned."""

MOST_ROWS = 300_000
"""Largest space of which all rows are scored."""

DIRECTIONS = 100
"""Number of weighted sums to minimise with more than two objectives."""


def exact(problem: Problem, options: SearchOptions) -> Stepwise:
    """The exact front, by elimination if ``all_additive``, otherwise by scoring all rows of the space.

    Raises:
        SpaceError: a metric is not additive and the space is too large to score, or the front is too large and needs
            an epsilon, or more evaluations are needed than allowed.
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


def additive_start(problem: Problem) -> Population:
    """Rows to start from if all objectives are additive: the exact front; else none.

    With more than two objectives, minima of weighted sums replace the front.
    """
    costs, limits = _sums(problem)
    if not costs:
        return problem.space.no_rows
    if len(costs) > 2:
        return _supported(problem, costs)
    try:
        front = _front(problem, costs, limits)
    except SpaceError:  # too large: the corners of its convex hull are enough
        front = _supported(problem, costs)
    along = np.argsort(costs[-1](front), kind="stable")
    kept = np.linspace(0, len(front) - 1, min(len(front), MAX_START)).astype(int)
    thinned: Population = front[along[kept]]
    return thinned


def exact_share(found: SearchResult) -> dict[str, float]:
    """``exact_share``: the share of the exact front's hypervolume that was found; empty if it cannot be computed."""
    problem = found.problem
    if not all_additive(problem) or len(problem.objectives) > 2:
        return {}
    try:
        best = problem.costs(problem.evaluate(_front(problem, *_sums(problem))))
    except SpaceError:  # the front is too large
        return {}
    costs = problem.costs(found.values)
    worst = np.maximum(costs.max(axis=0), best.max(axis=0))
    reference = reference_beyond(worst, np.ptp(best, axis=0), 0.01)
    return {"exact_share": hypervolume(costs, reference) / hypervolume(best, reference)}


def all_additive(problem: Problem) -> bool:
    """Whether the front can be computed: every objective is additive, and every budget is on a sum or a maximum."""
    sums, peaks = problem.offering(Additive), problem.offering(Confining)
    exact_budgets = all(c.name in sums or (c.name in peaks and c.lower == -math.inf) for c in problem.constraints)
    return exact_budgets and all(o.name in sums for o in problem.objectives)


def _front(problem: Problem, costs: list[Additive], limits: list[Limit], *, epsilon: float = 0.0) -> Population:
    """The exact front of costs within limits, both from ``_sums``; the error of infeasible budgets names them."""
    try:
        return exact_front(problem.space, costs, limits, epsilon=epsilon)
    except InfeasibleError as error:
        budgets = ", ".join(map(str, problem.constraints))
        raise InfeasibleError(budgets, error.rule, "relax one of them") from error


def _no_sum(problem: Problem) -> SpaceError:
    """The error for a front that cannot be computed."""
    sums, peaks = problem.offering(Additive), problem.offering(Confining)
    budgets = {c.name for c in problem.constraints} - {o.name for o in problem.objectives}
    other = [name for name in problem.metrics if name not in sums and not (name in peaks and name in budgets)]
    peak = [name for name in other if name in peaks]
    remedy = f"make {peak[0]} a budget, or use nsga2" if peak == other else "use nsga2, or an additive predictor"
    return SpaceError("searcher exact", f"{', '.join(other)} is no sum over layers", remedy)


def _sums(problem: Problem) -> tuple[list[Additive], list[Limit]]:
    """The objectives as sums to minimise, none if one is not additive; and the budgets as limits on sums.

    A budget on a maximum forbids layers. It becomes NaN factors of one of the sums.
    """
    sums, peaks = problem.offering(Additive), problem.offering(Confining)
    forbidden = [f for c in problem.constraints if c.name in peaks for f in peaks[c.name].at_most(c.upper)]
    if sums and forbidden:
        # One object for objective and budget, so that an objective with a budget is a single coordinate.
        first = next(iter(sums.values()))
        confined = AdditiveCost(problem.space, [*first.factors, *forbidden])
        sums = {name: confined if fn is first else fn for name, fn in sums.items()}
    if not all(o.name in sums for o in problem.objectives):
        return [], []
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
    """Minima of weighted sums of the costs, each scaled to its range; budgets are ignored."""
    buckets = build(problem.space, costs)
    unit = np.eye(len(costs))
    spans = [-bounds(buckets, -u).minimum - bounds(buckets, u).minimum for u in unit]
    scale = 1.0 / np.maximum(spans, 1e-12)
    positions = [bounds(buckets, w * scale).row for w in reference_directions(len(costs), DIRECTIONS)]
    return np.unique(rows_at(problem.space, np.array(positions)), axis=0)
