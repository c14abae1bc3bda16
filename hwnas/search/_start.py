"""The first subnets of a search with few evaluations: spread over the whole range of a cost."""

from __future__ import annotations

import numpy as np

from hwnas.search._problem import Problem
from hwnas.space import AdditiveCost, Population, macs_cost

DRAWN = 4000


def stratified_start(problem: Problem, size: int, rng: np.random.Generator) -> Population:
    """``(<= size, g)`` distinct rows at equal steps of cost, the smallest and the largest subnet among them.

    Random subnets are all of medium size. Here each is drawn part of the way towards an extreme one,
    so that all sizes occur; budgets of additive metrics are kept.

    Args:
        problem: with an AdditiveCost among its metrics to spread over; else MACs are.
        size: how many.
        rng: source of all draws.
    """
    space = problem.space
    additive = [fn for fn in problem.metrics.values() if isinstance(fn, AdditiveCost)]
    cost = (additive[0] if additive else macs_cost(space)).within(space)
    extremes = np.stack([cost.minimum()[1], cost.maximum()[1]])
    drawn = space.sample(DRAWN, rng, distinct_uniform=False)
    pull = rng.uniform(-1, 1, size=(DRAWN, 1))
    ends = np.where(pull > 0, extremes[1], extremes[0])
    drawn = np.where(rng.random(drawn.shape) < np.abs(pull), ends, drawn)
    x = np.unique(space.canonical(np.concatenate([extremes, drawn])), axis=0)
    x = x[_allowed(problem, x)]
    costs = cost(x)
    chosen: list[int] = []
    for target in np.linspace(costs.min(), costs.max(), size) if len(x) else ():
        if len(chosen) < len(x):
            distance = np.abs(costs - target)
            distance[chosen] = np.inf
            chosen.append(int(distance.argmin()))
    return x[chosen]


def _allowed(problem: Problem, x: Population) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    allowed = np.ones(len(x), dtype=bool)
    for c in problem.constraints:
        if isinstance(c.fn, AdditiveCost):
            allowed &= c.fn(x) <= c.upper
    return allowed
