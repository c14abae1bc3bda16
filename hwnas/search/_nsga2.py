"""NSGA-II over integer genes, started from exact fronts and ended by a local search."""

from __future__ import annotations

import numpy as np

from hwnas.search._additive import additive_start, certificate
from hwnas.search._local import local_search
from hwnas.search._operators import crossover, mutate, mutation_rates
from hwnas.search._pool import Pool, Values
from hwnas.search._problem import Problem
from hwnas.search._result import SearchOptions, SearchResult
from hwnas.search._survival import Survival, mates, tournament
from hwnas.space import Population

CROSSOVER = 0.9
"""Share of children with two parents; the rest are mutants of one."""


class NSGA2:
    """Ask for rows, tell their values: the caller evaluates, keeps the pool, and may stop at any time.

    Above two objectives the survivors are those of U-NSGA-III.

    Args:
        problem: what is searched for.
        population: rows asked for per generation, and survivors.
        rng: all random numbers.
        start: rows of the first generation, beside random ones.
    """

    def __init__(
        self, problem: Problem, population: int, rng: np.random.Generator, start: Population | None = None
    ) -> None:
        self.problem = problem
        self.population = population
        self.rng = rng
        self._survival = Survival(len(problem.objectives), population)
        self._rates = mutation_rates(problem.space)
        self._start = start
        self.x: Population = np.zeros((0, problem.space.n_genes), dtype=np.int16)
        self.values: Values = {name: np.zeros(0) for name in problem.metrics}

    def ask(self) -> Population:
        """``(population, g)`` canonical rows of the next generation; the first also holds the start rows."""
        space, rng = self.problem.space, self.rng
        if not len(self.x):
            drawn = space.sample(2 * self.population, rng, distinct_uniform=False)
            return drawn if self._start is None else np.concatenate([space.canonical(self._start), drawn])
        parents = tournament(self._ranked, self.population, rng)
        if len(self.problem.objectives) == 2:
            others = mates(self.problem.costs(self.values), parents, rng)
        else:
            others = tournament(self._ranked, self.population, rng)
        crossed = crossover(space, self.x[parents], self.x[others], rng)
        both = rng.random(self.population) < CROSSOVER
        return mutate(space, np.where(both[:, None], crossed, self.x[parents]), self._rates, rng)

    def tell(self, x: Population, values: Values) -> None:
        """Select survivors among the population and newly scored rows."""
        x = np.concatenate([self.x, x])
        values = {name: np.concatenate([self.values[name], values[name]]) for name in self.values}
        self._ranked = self._survival(self.problem.costs(values), self.problem.violation(values), self.rng)
        self.x = x[self._ranked.order]
        self.values = {name: v[self._ranked.order] for name, v in values.items()}


def nsga2(problem: Problem, options: SearchOptions) -> SearchResult:
    """Exact front of the additive part, generations of NSGA-II, local search on the front."""
    rng = np.random.default_rng(options.seed)
    pool = Pool(problem)
    algorithm = NSGA2(problem, options.population, rng, additive_start(problem, options))
    steps = options.generations + 1
    for step in range(options.generations):
        x = pool.fresh(algorithm.ask())
        algorithm.tell(x, pool.score(x))
        pool.record(step + 1, steps, options.progress)
    local_search(pool, (algorithm.x, algorithm.values), options.polish, rng)
    pool.record(steps, steps, options.progress)
    return pool.result("nsga2", options.seed, certificate(pool, options))
