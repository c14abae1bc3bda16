"""Baselines that evaluate for real: each returns the rows it evaluated, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwnas.search import Objective, Problem
from hwnas.search._nsga2 import NSGA2
from hwnas.search._operators import mutate, mutation_rates
from hwnas.search._pool import Pool
from hwnas.space import Population, SearchSpace

Points = Callable[[Population], NDArray[np.float64]]
"""``(n, g)`` rows to ``(n, 2)`` accuracy (larger is better) and cost."""


def nsga2(space: SearchSpace, points: Points, evaluations: int, seed: int, population: int = 50) -> Population:
    """hwnas's NSGA-II from random rows; repeats cost nothing."""
    objectives = [
        Objective("accuracy", "", True, lambda x: points(x)[:, 0]),
        Objective("cost", "", False, lambda x: points(x)[:, 1]),
    ]
    problem = Problem(space, objectives)
    pool, algorithm = Pool(problem), NSGA2(problem, population, np.random.default_rng(seed))
    rows: list[Population] = []
    while pool.evaluations < evaluations:
        x = pool.fresh(algorithm.ask())[: population if rows else evaluations]
        rows.append(x[:population])
        algorithm.tell(rows[-1], pool.score(rows[-1]))
    return np.concatenate(rows)[:evaluations]


def evolution(
    space: SearchSpace, points: Points, evaluations: int, seed: int, population: int = 50, sample: int = 10
) -> Population:
    """Regularised evolution (Real et al. 2019): tournaments, one mutated gene, the oldest dies.

    For two objectives, each tournament draws a budget from the costs of its members, and the most accurate
    member within it becomes the parent.
    """
    rng = np.random.default_rng(seed)
    rates = mutation_rates(space)
    first = space.sample(population, rng, distinct_uniform=False)
    rows = list(first)
    alive = deque(zip(first, points(first), strict=True), maxlen=population)
    while len(rows) < evaluations:
        members = [alive[i] for i in rng.integers(len(alive), size=sample)]
        budget = members[int(rng.integers(sample))][1][1]
        parent = max((m for m in members if m[1][1] <= budget), key=lambda m: float(m[1][0]))[0]
        child = parent
        while (child == parent).all():
            child = mutate(space, parent[None], rates, rng)[0]
        alive.append((child, points(child[None])[0]))
        rows.append(child)
    return np.stack(rows)


def random(space: SearchSpace, points: Points, evaluations: int, seed: int) -> Population:
    """Every gene drawn uniformly."""
    del points
    return space.sample(evaluations, np.random.default_rng(seed), distinct_uniform=False)
