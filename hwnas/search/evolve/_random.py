"""Random search: the baseline that every other searcher has to beat."""

from __future__ import annotations

import numpy as np

from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._searcher import SearchOptions
from hwnas.search.problem._stepwise import Steps, Stepwise

DRAWN = 1000
"""Subnets drawn at once."""


def random_search(problem: Problem, options: SearchOptions) -> Stepwise:
    """Distinct random subnets; every gene is drawn uniformly, as OFA's finder starts."""
    return Stepwise("random", problem, options, _steps, waits=False)


def _steps(pool: Pool, options: SearchOptions) -> Steps:
    rng = np.random.default_rng(options.seed)
    if options.start is not None:
        yield pool.problem.space.canonical(options.start)
    while len(drawn := pool.fresh(pool.problem.space.sample(DRAWN, rng, distinct_uniform=False))):
        yield drawn
