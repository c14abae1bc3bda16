"""NSGA-II over integer genes, started from exact fronts and ended by local searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from hwnas.search.evolve._chains import CHAINS, has_models, search_along
from hwnas.search.evolve._local import local_search
from hwnas.search.evolve._operators import crossover, mutate, mutation_rates
from hwnas.search.evolve._survival import Survival, mates, tournament
from hwnas.search.exact._additive import additive_start, all_additive, certificate
from hwnas.search.problem._pool import Pool, Values
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchOptions, SearchResult
from hwnas.space import Population

CROSSOVER = 0.9
"""Share of children with two parents; the rest are mutants of one."""

LAST_SHARE = 6
"""One in so many evaluations after the evolution goes to the search of the front's neighbourhood."""


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
    """Evolution, then iterated local search from its survivors, then a local search of the front's neighbourhood.

    Evolution starts from the exact front of the additive part where that is known; where all metrics are
    additive that front is the answer. The iterated search needs first-order models of the objectives; where
    one has none, its evaluations go to the last step.
    """
    run = _Run(problem, options)
    evolved = NSGA2(problem, options.population, run.rng, additive_start(problem, options))
    run.generations(evolved, options.generations)
    near = [(evolved.x, evolved.values)]
    polish = options.polish
    if has_models(problem) and not all_additive(problem) and len(run.pool.x):
        polish //= LAST_SHARE
        near.append(run.search_along(evolved, options.polish - polish))
    run.polish(near, polish)
    return run.result()


class _Run:
    """One search: its pool, its random numbers, and how far it is."""

    def __init__(self, problem: Problem, options: SearchOptions) -> None:
        self.options = options
        self.rng = np.random.default_rng(options.seed)
        self.pool = Pool(problem)
        self._steps = options.generations + options.polish // options.population + 1
        self._step = 0

    def generations(self, algorithm: NSGA2, n: int) -> None:
        for _ in range(n):
            x = self.pool.fresh(algorithm.ask())
            algorithm.tell(x, self.pool.score(x))
            self._advance(1)

    def search_along(self, survivors: NSGA2, evaluations: int) -> tuple[Population, Values]:
        """Chains start from the survivors, in order of the last cost."""
        along = np.argsort(survivors.problem.costs(survivors.values)[:, -1], kind="stable")
        start = survivors.x[along[np.linspace(0, len(along) - 1, CHAINS).astype(np.intp)]]
        with self._counted(evaluations) as tick:
            return search_along(self.pool, start, evaluations, self.rng, tick)

    def polish(self, near: list[tuple[Population, Values]], evaluations: int) -> None:
        with self._counted(evaluations) as tick:
            local_search(self.pool, near, evaluations, self.rng, tick)

    @contextmanager
    def _counted(self, evaluations: int) -> Iterator[Callable[[], None]]:
        """A step is as many evaluations as a generation has."""
        first, before = self._step, self.pool.evaluations

        def tick() -> None:
            self._advance(first + (self.pool.evaluations - before) // self.options.population - self._step)

        yield tick
        self._step = first + evaluations // self.options.population

    def _advance(self, steps: int) -> None:
        self._step = min(self._step + steps, self._steps - 1)
        self.pool.record(self._step, self._steps, self.options.progress)

    def result(self) -> SearchResult:
        self.pool.record(self._steps, self._steps, self.options.progress)
        return self.pool.result("nsga2", self.options.seed, certificate(self.pool, self.options))
