"""NSGA-II and U-NSGA-III over integer genes, started from exact fronts and ended by local searches."""

from __future__ import annotations

import numpy as np

from hwnas.search.evolve._chains import CHAINS, has_models, search_along
from hwnas.search.evolve._local import local_search
from hwnas.search.exact._additive import additive_start, all_additive
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._searcher import SearchOptions
from hwnas.search.problem._stepwise import Steps, Stepwise
from hwnas.space import Population

POPULATION = 300
GENERATIONS = 20

POLISH = 30
"""Evaluations of the local searches per evaluation of the evolution: the default search scores 186,000 subnets."""

SLOW_POPULATIONS = (50, 300)
"""Least and most subnets per generation with slow metrics; in between, a tenth of the evaluations."""

CHAINS_SHARE = 5 / 6
"""Share of the evaluations after the evolution that chains get; the rest goes to the front's neighbourhood."""


def nsga2(problem: Problem, options: SearchOptions) -> Stepwise:
    """NSGA-II; see ``evolved``."""
    return evolved("nsga2", problem, options)


def unsga3(problem: Problem, options: SearchOptions) -> Stepwise:
    """U-NSGA-III, which spreads rows better with more than two objectives; see ``evolved``."""
    return evolved("unsga3", problem, options)


def evolved(kind: str, problem: Problem, options: SearchOptions) -> Stepwise:
    """Evolution, then iterated local search from its survivors, then local search of the front's neighbourhood.

    If all objectives are additive, evolution starts from their exact front; if the budgets are too, that front is the
    answer. The iterated search needs first-order effects of all objectives; without them, its evaluations go to the
    last step. With slow metrics there are too few evaluations for local searches, so there is evolution alone.
    """
    return Stepwise(kind, problem, options, lambda pool, o: _steps(kind, pool, o))


def _steps(kind: str, pool: Pool, options: SearchOptions) -> Steps:
    from hwnas.search.evolve._pymoo import Evolution  # most commands need no pymoo

    problem, rng = pool.problem, np.random.default_rng(options.seed)
    usual = int(np.clip(options.evaluations // 10, *SLOW_POPULATIONS)) if problem.slow else POPULATION
    population = options.population or usual
    generations = options.generations or (options.evaluations if problem.slow else GENERATIONS)
    evolution = Evolution(kind, problem, population, rng, _first(pool, options, population, rng), pool.knows)
    for _ in range(generations):
        x = evolution.ask()
        if not len(x):
            break
        evolution.tell((yield x))
    left = options.evaluations - pool.asked
    if problem.slow or left <= 0 or not len(pool.x):
        return
    x = evolution.x
    near = [(x, pool.seen.at(pool.seen.find(pool.keys(x))))]
    if has_models(problem) and not all_additive(problem):
        order = np.argsort(problem.costs(near[0][1])[:, -1], kind="stable")
        start = x[order[np.linspace(0, len(order) - 1, CHAINS).astype(np.intp)]]
        along = int(CHAINS_SHARE * left)
        near.append((yield from search_along(pool, start, along, rng)))
        left -= along
    yield from local_search(pool, near, left, rng)


def _first(pool: Pool, options: SearchOptions, population: int, rng: np.random.Generator) -> Population:
    """Rows of the first generation: given ones, the exact front of additive objectives, and random ones."""
    problem = pool.problem
    drawn = problem.space.sample(population if problem.slow else 2 * population, rng, distinct_uniform=False)
    return pool.fresh(np.concatenate([options.start_rows(problem.space), additive_start(problem), drawn]))
