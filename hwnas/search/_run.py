"""The registry of searchers, and the one way to run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hwnas.errors import SpaceError, UnknownNameError
from hwnas.search.evolve._best import along_a_budget
from hwnas.search.evolve._nsga2 import nsga2
from hwnas.search.evolve._random import random_search
from hwnas.search.exact._additive import exact
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import Progress, SearchOptions, SearchResult
from hwnas.space import AdditiveCost

SEARCHERS: dict[str, Callable[[Problem, SearchOptions], SearchResult]] = {
    "exact": exact,
    "nsga2": along_a_budget(nsga2),
    "random": random_search,
}
"""Searchers by name. Each returns a front that is feasible, canonical, and the same for the same seed."""

POPULATION = 300
GENERATIONS = 20
POLISH = 30
"""Evaluations of the local searches for each of the evolution; with these defaults a search scores about 190,000 subnets."""


def run_search(
    problem: Problem,
    searcher: str = "nsga2",
    *,
    population: int = POPULATION,
    generations: int = GENERATIONS,
    seed: int = 0,
    polish: int | None = None,
    seeds: NDArray[Any] | None = None,
    additive: Mapping[str, AdditiveCost] | None = None,
    epsilon: float = 0.0,
    progress: Callable[[Progress], None] | None = None,
) -> SearchResult:
    """Search for the Pareto front; see SearchOptions for the arguments.

    Raises:
        UnknownNameError: no such searcher.
        InfeasibleError: a budget that no subnet meets; raised before the search where a minimum is known.
        SpaceError: ``seeds`` outside the space.
    """
    if searcher not in SEARCHERS:
        raise UnknownNameError("searcher", searcher, SEARCHERS)
    if population < 2 or generations < 1:
        raise SpaceError(
            f"population {population}, generations {generations}", "at least 2 and 1 are needed", "raise them"
        )
    problem.refuse_infeasible()
    if seeds is not None:
        outside = ~problem.space.contains(seeds)
        if outside.any():
            raise SpaceError(
                f"start row {int(outside.argmax())}", f"it is outside {problem.space.name}", "leave it out"
            )
    if polish is None:
        polish = POLISH * population * generations
    options = SearchOptions(population, generations, seed, polish, seeds, epsilon, progress, dict(additive or {}))
    # Products of matrices this small gain little from threads, suffer much where others need the cores, and
    # differ in their last digits with the number of them, which would tie a result to the machine.
    with threadpool_limits(1, user_api="blas"):
        return SEARCHERS[searcher](problem, options)
