"""Random search: the baseline every other searcher has to beat."""

from __future__ import annotations

import numpy as np

from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchOptions, SearchResult


def random_search(problem: Problem, options: SearchOptions) -> SearchResult:
    """Score distinct random subnets, every gene drawn uniformly as OFA's finder starts."""
    rng = np.random.default_rng(options.seed)
    pool = Pool(problem)
    if options.seeds is not None:
        pool.score(pool.fresh(options.seeds))
    for step in range(options.generations):
        pool.score(pool.fresh(problem.space.sample(options.population, rng, distinct_uniform=False)))
        pool.record(step + 1, options.generations, options.progress)
    return pool.result("random", options.seed)
