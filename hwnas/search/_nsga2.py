"""NSGA-II over integer genes, started from exact fronts and ended by a local search."""

from __future__ import annotations

import numpy as np

from hwnas.search._additive import additive_start, all_additive, certificate
from hwnas.search._local import local_search
from hwnas.search._operators import crossover, mutate, mutation_rates
from hwnas.search._pool import Pool, Values
from hwnas.search._problem import Problem
from hwnas.search._result import SearchOptions, SearchResult
from hwnas.search._survival import Survival, mates, tournament
from hwnas.space import Population

CROSSOVER = 0.9
"""Share of children with two parents; the rest are mutants of one."""

ISLANDS = 6
"""Populations that evolve apart, for three quarters of the generations in all."""

MERGED = 3
"""Size of the population that the islands end in, in populations."""

MIN_GENERATIONS = 4
"""Of an island; with fewer there is one population."""


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
    """Islands of NSGA-II, each with a local search along its own front; then both on what all of them found.

    Rugged predictors have many local optima at every cost. Islands that start from different random rows
    end in different ones; a single population gives most of them up early. The first island also starts
    from the exact front of the additive part. Where all metrics are additive, that front is the answer,
    and there is one island.
    """
    run = _Run(problem, options)
    start = additive_start(problem, options)
    each = 0 if all_additive(problem) else options.generations * 3 // 4 // ISLANDS
    if each < MIN_GENERATIONS:
        last = NSGA2(problem, options.population, run.rng, start)
        run.generations(run.pool, last, options.generations)
        run.polish(run.pool, [(last.x, last.values)], options.polish)
        return run.result()
    last = NSGA2(problem, MERGED * options.population, run.rng)
    near = []
    for island in range(ISLANDS):
        pool = Pool(problem, parent=run.pool)
        algorithm = NSGA2(problem, options.population, run.rng, options.seeds if island else start)
        run.generations(pool, algorithm, each)
        run.polish(pool, [(algorithm.x, algorithm.values)], options.polish * 2 // 3 // ISLANDS)
        last.tell(pool.x, pool.values)
        near.append((pool.x, pool.values))
    run.generations(run.pool, last, (options.generations - each * ISLANDS) // MERGED)
    run.polish(run.pool, [*near, (last.x, last.values)], options.polish // 3)
    return run.result()


class _Run:
    """One search: its pool, its random numbers, and how far it is."""

    def __init__(self, problem: Problem, options: SearchOptions) -> None:
        self.options = options
        self.rng = np.random.default_rng(options.seed)
        self.pool = Pool(problem)
        self._steps = options.generations + options.polish // options.population + 1
        self._step = 0

    def generations(self, pool: Pool, algorithm: NSGA2, n: int) -> None:
        for _ in range(n):
            x = pool.fresh(algorithm.ask())
            algorithm.tell(x, pool.score(x))
            self._advance(algorithm.population // self.options.population)

    def polish(self, pool: Pool, near: list[tuple[Population, Values]], evaluations: int) -> None:
        """Local search; a step is as many evaluations as a generation has."""
        first, before = self._step, pool.evaluations

        def tick() -> None:
            self._advance(first + (pool.evaluations - before) // self.options.population - self._step)

        local_search(pool, near, evaluations, self.rng, tick)
        self._step = first + evaluations // self.options.population

    def _advance(self, steps: int) -> None:
        self._step = min(self._step + steps, self._steps - 1)
        self.pool.record(self._step, self._steps, self.options.progress)

    def result(self) -> SearchResult:
        self.pool.record(self._steps, self._steps, self.options.progress)
        return self.pool.result("nsga2", self.options.seed, certificate(self.pool, self.options))
