"""The first subnets of a search with few evaluations, regular and irregular ones, spread over the whole range of a cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.search.evolve._operators import mutate, mutation_rates
from hwnas.search.problem._capabilities import Additive
from hwnas.search.problem._problem import MetricFunction, Problem
from hwnas.space import Population, SearchSpace, macs_cost

DRAWN = 4000
"""Random subnets to choose from."""

ROUNDS = 10
"""Rounds of mutation if few of them are within the budgets."""

MIXED = 0.4
"""Share of the irregular subnets whose layers each have their own precision. All layers of the others have the cheapest
precision, which is better where precision costs no accuracy."""

WHOLE = 0.5
"""Share of the regular subnets in which a kind of choice, such as the width, is the largest in all layers."""


def stratified_start(problem: Problem, size: int, rng: np.random.Generator) -> Population:
    """``(<= size, g)`` distinct rows at equal steps of cost, the smallest and the largest subnet among them.

    Random subnets are all of medium size. Here each takes a random part of its genes from the smallest or the largest
    subnet, so that all sizes occur. They are irregular: hardly a layer is like the next. Every other row is therefore
    regular, with free depths and the same choice in all layers. Good subnets are among these (Tan and Le 2019,
    "EfficientNet", arXiv:1905.11946), and a predictor that knew only irregular ones would expect too little of them.
    All rows keep the budgets of known metrics.

    Args:
        problem: the cost is its first known additive metric, otherwise MACs. In spaces with precisions it is always
            MACs; in a space without layers it is any known metric.
        size: how many.
        rng: source of all draws.
    """
    space = problem.space
    known = problem.known
    additive = list(problem.offering(Additive).values())
    x = space.sample(DRAWN, rng, distinct_uniform=False)
    cost: MetricFunction | None = next(iter(known.values()), None)
    regular = x[:0]
    if additive or space.slots:
        known_sum = (additive[0] if additive else macs_cost(space)).within(space)
        # Steps of latency would not do: half of its range is reached only by large subnets in the slowest precision.
        cost = size_of = macs_cost(space).within(space) if space.slots and space.precisions else known_sum
        extremes = np.stack([size_of.minimum()[1], size_of.maximum()[1]])
        # A gene without effect may gain one when the depth comes from the other row, so it must hold an allowed choice.
        lowest = np.array([domain[0] for domain in space.domain])
        smallest, largest, others = (np.where(space.active(rows), rows, lowest) for rows in (*extremes[:, None], x))
        pull = rng.uniform(-1, 1, size=(DRAWN, 1))
        drawn = np.where(rng.random(x.shape) < np.abs(pull), np.where(pull > 0, largest, smallest), others)
        if space.precisions:  # uniform draws would mix precisions in every subnet, which is mostly slow
            drawn[:, _precisions(space)] = others[:, _precisions(space)]
            mixed = rng.random(len(drawn)) < MIXED
            drawn = np.where(mixed[:, None], drawn, _in_cheapest_precision(drawn, space, known_sum))
            fastest = known_sum.minimum()[1]  # it keeps even tight budgets
            extremes = np.concatenate([_in_cheapest_precision(extremes, space, known_sum), fastest[None]])
        regular = space.canonical(_in_cheapest_precision(_regular(space, largest, rng), space, known_sum))
        x = np.concatenate([extremes, space.canonical(drawn), regular])
    x = rng.permutation(np.unique(x, axis=0))
    x = _more_within_budgets(problem, x[_is_within_budgets(problem, x)], size, rng)
    if cost is None or len(x) <= size:
        return x[:size]
    known_regular = {row.tobytes() for row in regular}
    is_regular = np.array([row.tobytes() in known_regular for row in x])
    return x[_at_equal_steps(cost(x), is_regular, size)]


def _at_equal_steps(costs: NDArray[np.float64], is_regular: NDArray[np.bool_], size: int) -> list[int]:
    """Places of the rows of least and of most cost, and of those nearest to equal steps between, irregular and regular in turn."""
    chosen = list(dict.fromkeys([int(costs.argmin()), int(costs.argmax())]))[:size]
    for place, target in enumerate(np.linspace(costs.min(), costs.max(), size)[1:-1]):
        distance = np.abs(costs - target)
        distance[chosen] = np.inf
        of_kind = np.where(is_regular == bool(place % 2), distance, np.inf)
        chosen.append(int((of_kind if np.isfinite(of_kind).any() else distance).argmin()))
    return chosen


def _regular(space: SearchSpace, largest: Population, rng: np.random.Generator) -> Population:
    """``(DRAWN, g)`` rows with random depths and inputs, and the same choice of each kind in all layers."""
    x = space.sample(DRAWN, rng, distinct_uniform=False)
    for columns in space.groups.values():
        of_layers = [c for c in columns if space.genes[c].role == "layer" and c not in space.dependents]
        level = np.where(rng.random(DRAWN) < WHOLE, 1.0, rng.random(DRAWN))
        for column in of_layers:
            domain = np.array(space.domain[column])
            ascending = domain if largest[0, column] == domain[-1] else domain[::-1]
            x[:, column] = ascending[np.rint(level * (len(domain) - 1)).astype(int)]
    return x


def _is_within_budgets(problem: Problem, x: Population) -> NDArray[np.bool_]:
    """``(n,)``: which rows keep the budgets of the known metrics."""
    kept = np.ones(len(x), dtype=bool)
    for c in problem.constraints:
        if c.name in problem.known:
            kept &= c.excess(c.fn(x)) == 0
    return kept


def _more_within_budgets(problem: Problem, x: Population, size: int, rng: np.random.Generator) -> Population:
    """Add mutants of the rows within tight budgets, until there are ``size`` of them."""
    rates = mutation_rates(problem.space)
    for _ in range(ROUNDS):
        if not 0 < len(x) < size:
            break
        mutants = mutate(problem.space, x[rng.integers(len(x), size=DRAWN)], rates, rng)
        every = rng.permutation(np.unique(np.concatenate([x, mutants]), axis=0))
        x = every[_is_within_budgets(problem, every)]
    return x


def _in_cheapest_precision(x: Population, space: SearchSpace, cost: MetricFunction) -> Population:
    """Each row with all its layers in one precision, the one of least cost. Layers that lack it keep their first choice."""
    if not space.precisions:
        return x
    versions = np.stack([_in_precision(x, space, precision) for precision in space.precisions])
    cheapest = np.argmin([cost(version) for version in versions], axis=0)
    return np.asarray(versions[cheapest, np.arange(len(x))])


def _in_precision(x: Population, space: SearchSpace, precision: str) -> Population:
    x = x.copy()
    for column in _precisions(space):
        choices = space.genes[column].choices
        choice = choices.index(precision) if precision in choices else 0
        if choice in space.domain[column]:
            x[:, column] = choice
    return space.canonical(x)


def _precisions(space: SearchSpace) -> list[int]:
    return [column for column, gene in enumerate(space.genes) if gene.role == "precision"]
