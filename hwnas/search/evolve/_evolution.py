"""Regularised evolution (Real et al. 2019, arXiv:1802.01548): tournaments, one mutant, the oldest dies."""

from __future__ import annotations

from collections import deque

import numpy as np

from hwnas.search.evolve._operators import mutate, mutation_rates
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.space import Population

POPULATION = 50
TOURNAMENT = 10

_TRIES = 20
"""Mutants that were evaluated before, per evaluation, after which a space counts as exhausted."""


def evolution(problem: Problem, evaluations: int, seed: int) -> Pool:
    """Spend evaluations; subnets that were evaluated before cost nothing.

    For several objectives, each tournament draws one of its members, and its best member in the first objective
    that is no worse than that one in all others becomes the parent. Members that break budgets lose to others.
    """
    rng, space, pool = np.random.default_rng(seed), problem.space, Pool(problem)
    rates = mutation_rates(space)
    first = pool.fresh(space.sample(POPULATION, rng, distinct_uniform=False))[:evaluations]
    alive = deque(_scored(pool, first), maxlen=POPULATION)
    known = {row.tobytes(): scored for row, scored in zip(first, alive, strict=True)}
    for _ in range(_TRIES * evaluations):
        if pool.evaluations >= evaluations:
            break
        child = mutate(space, _parent(alive, rng)[None], rates, rng)
        key = child[0].tobytes()
        if key not in known:
            known[key] = _scored(pool, child)[0]
        alive.append(known[key])
    return pool


_Member = tuple[Population, np.ndarray[tuple[int], np.dtype[np.float64]], float]


def _scored(pool: Pool, x: Population) -> list[_Member]:
    """Rows with their costs and how far they break the budgets."""
    values = pool.score(x)
    return list(zip(x, pool.problem.costs(values), pool.problem.violation(values).tolist(), strict=True))


def _parent(alive: deque[_Member], rng: np.random.Generator) -> Population:
    members = [alive[i] for i in rng.integers(len(alive), size=TOURNAMENT)]
    bound = members[int(rng.integers(TOURNAMENT))]
    within = [m for m in members if (m[1][1:] <= bound[1][1:]).all()]
    return min(within, key=lambda m: (m[2], float(m[1][0])))[0]
