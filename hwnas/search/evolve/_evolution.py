"""Regularised evolution (Real et al. 2019, arXiv:1802.01548): tournaments, one mutant, the oldest dies."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from hwnas.search.evolve._operators import mutate, mutation_rates
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._searcher import SearchOptions
from hwnas.search.problem._seen import Values
from hwnas.search.problem._stepwise import Steps, Stepwise
from hwnas.space import Population

POPULATION = 50
"""Members alive."""

TOURNAMENT = 10
"""Members that compete to be a parent."""

_TRIES = 20
"""The search ends after this many mutants per allowed evaluation, since mutants that are known already cost nothing."""


def evolution(problem: Problem, options: SearchOptions) -> Stepwise:
    """Regularised evolution. Subnets that were evaluated before cost nothing.

    With several objectives, each tournament draws one of its members as a bound: the parent is the best member in the
    first objective among those that are no worse than the bound in all others. Members that break budgets lose.
    """
    return Stepwise("evolution", problem, options, _steps)


def _steps(pool: Pool, options: SearchOptions) -> Steps:
    rng, problem = np.random.default_rng(options.seed), pool.problem
    space, population = problem.space, options.population or POPULATION
    rates = mutation_rates(space)
    drawn, start = space.sample(population, rng, distinct_uniform=False), options.start_rows(space)
    first = pool.fresh(np.concatenate([start, drawn]))[: max(population, len(start))]
    alive = deque(_members(problem, first, (yield first)), maxlen=population)
    for _ in range(_TRIES * options.evaluations):
        child = mutate(space, _parent(alive, rng)[None], rates, rng)
        alive.extend(_members(problem, child, (yield child)))


_Member = tuple[Population, NDArray[np.float64], float]


def _members(problem: Problem, x: Population, values: Values) -> list[_Member]:
    """Rows with their costs and their violation of the budgets."""
    return list(zip(x, problem.costs(values), problem.violation(values).tolist(), strict=True))


def _parent(alive: deque[_Member], rng: np.random.Generator) -> Population:
    members = [alive[i] for i in rng.integers(len(alive), size=TOURNAMENT)]
    bound = members[int(rng.integers(TOURNAMENT))]
    within = [m for m in members if (m[1][1:] <= bound[1][1:]).all()]
    return min(within, key=lambda m: (m[2], float(m[1][0])))[0]
