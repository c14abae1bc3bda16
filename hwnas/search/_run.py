"""Run a search from end to end: a searcher asks, an evaluator answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hwnas.errors import InfeasibleError
from hwnas.search._registry import new_searcher, usual_searcher
from hwnas.search.evolve._nsga2 import GENERATIONS, POLISH, POPULATION
from hwnas.search.exact._additive import MOST_ROWS, exact_share
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchProgress, SearchResult
from hwnas.search.problem._searcher import Fit, Searcher, SearchOptions
from hwnas.space import Population

SLOW_EVALUATIONS = 150
"""Default number of evaluations where they are slow."""

MOST_ASKED = 1_000_000
"""Rows asked for at once: more than any searcher offers, so that it hands out the whole batch."""

Evaluate = Callable[[NDArray[Any]], Mapping[str, NDArray[np.float64]]]
"""``(n, g)`` rows to ``(n,)`` values by metric: an Evaluator, or ``Problem.evaluate``."""


def drive(
    searcher: Searcher, evaluate: Evaluate, progress: Callable[[SearchProgress], None] | None = None
) -> SearchResult:
    """Ask, evaluate and tell until the searcher has nothing left to ask; returns its front.

    Args:
        searcher: a new one, or one that was told the values known from before.
        evaluate: computes the values. A killed search can resume if it keeps them, as Evaluator does.
        progress: called after every batch.

    Raises:
        InfeasibleError: no evaluated subnet meets all budgets.
    """
    # Products of matrices this small gain little from threads, and slow down much when other processes use the cores.
    # Their last digits change with the number of threads, which would tie results to the machine.
    with threadpool_limits(1, user_api="blas"):
        while len(x := searcher.ask(MOST_ASKED)):
            searcher.tell(x, evaluate(x))
            if progress is not None:
                progress(_progress(searcher))
        return searcher.front()


AsFinished = Callable[[Iterator[Population | None]], Iterator[tuple[Population, float]]]
"""Takes the next ``(g,)`` row whenever a worker is free, and yields each row with its value once that is known. It is
given None where there is no row at present."""


def drive_freely(
    searcher: Searcher, evaluate: AsFinished, progress: Callable[[SearchProgress], None] | None = None
) -> SearchResult:
    """Like :func:`drive`, but asynchronous: whenever a worker is free, the searcher is asked for one more row.

    The front depends on which evaluation ends first, so two runs differ.

    Args:
        searcher: made with ``SearchOptions(at_once=workers)``; a searcher that needs whole batches still waits for them.
        evaluate: computes the one slow metric.
        progress: called after every evaluation.

    Raises:
        InfeasibleError: no evaluated subnet meets all budgets.
    """

    def asked() -> Iterator[Population | None]:
        while True:  # the executor stops reading once no row is left and none is running
            yield from x if len(x := searcher.ask(1)) else (None,)

    (slow,) = searcher.problem.slow
    with threadpool_limits(1, user_api="blas"):
        for row, value in evaluate(asked()):
            searcher.tell(row[None], {slow: np.array([value])})
            if progress is not None:
                progress(_progress(searcher))
        return searcher.front()


def _progress(searcher: Searcher) -> SearchProgress:
    try:
        found = searcher.front()
    except InfeasibleError:
        return SearchProgress(0, searcher.options.evaluations, 0, 0.0)
    volume = found.trace[-1][1] if found.trace else 0.0
    return SearchProgress(found.evaluations, searcher.options.evaluations, len(found), volume)


def _usual_evaluations(searcher: str, problem: Problem, population: int, generations: int) -> int:
    if searcher == "exact":
        return MOST_ROWS
    if problem.slow or searcher == "linas":
        return SLOW_EVALUATIONS
    return (
        population * generations * (1 if searcher == "evolution" else 1 + POLISH)
    )  # evolution ends without local search


def run_search(
    problem: Problem,
    searcher: str | None = None,
    *,
    evaluations: int | None = None,
    seed: int = 0,
    start: NDArray[Any] | None = None,
    population: int | None = None,
    generations: int | None = None,
    epsilon: float = 0.0,
    fit: Fit | None = None,
    revise: Callable[[Population], Mapping[str, NDArray[np.float64]]] | None = None,
    evaluate: Evaluate | None = None,
    progress: Callable[[SearchProgress], None] | None = None,
) -> SearchResult:
    """Search for the Pareto front.

    Args:
        problem: what is searched for.
        searcher: its name, see ``SEARCHERS``; None for ``usual_searcher``.
        evaluations: subnets that may be scored; None for the searcher's own number.
        seed, start, population, generations, epsilon, fit, revise: see SearchOptions.
        evaluate: computes the values of rows, such as an Evaluator with a journal; None for ``problem.evaluate``.
        progress: called after every batch.

    Raises:
        UnknownNameError: there is no such searcher.
        InfeasibleError: no subnet meets a budget; raised before the search if a bound is known.
        SpaceError: an option is out of range, or ``start`` is outside the space.
    """
    name = searcher or usual_searcher(problem)
    if evaluations is None:
        evaluations = _usual_evaluations(name, problem, population or POPULATION, generations or GENERATIONS)
    options = SearchOptions(evaluations, seed, start, population, generations, epsilon, fit, revise=revise)
    found = drive(new_searcher(name, problem, options), evaluate or problem.evaluate, progress)
    return replace(found, certificate={"epsilon": epsilon} if name == "exact" else exact_share(found))
