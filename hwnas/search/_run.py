"""Searches from end to end: a searcher asks, an evaluator answers."""

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
"""Subnets evaluated where evaluations are slow and nobody says how many."""

MOST_ASKED = 1_000_000
"""Rows asked for at once: more than any searcher offers, so that each answer is whole."""

Evaluate = Callable[[NDArray[Any]], Mapping[str, NDArray[np.float64]]]
"""``(n, g)`` rows to ``(n,)`` values by metric: an Evaluator, or ``Problem.evaluate``."""


def drive(
    searcher: Searcher, evaluate: Evaluate, progress: Callable[[SearchProgress], None] | None = None
) -> SearchResult:
    """Ask, evaluate and tell until the searcher has nothing left to ask; returns its front.

    Args:
        searcher: begun, or resumed by telling it what is known.
        evaluate: tells the values; a killed search resumes if it keeps them (see Evaluator).
        progress: called after every batch.

    Raises:
        InfeasibleError: nothing that was evaluated meets all budgets.
    """
    # Products of matrices this small gain little from threads, suffer much where others need the cores, and
    # differ in their last digits with the number of them, which would tie a result to the machine.
    with threadpool_limits(1, user_api="blas"):
        while len(x := searcher.ask(MOST_ASKED)):
            searcher.tell(x, evaluate(x))
            if progress is not None:
                progress(_progress(searcher))
        return searcher.front()


AsFinished = Callable[[Iterator[Population | None]], Iterator[tuple[Population, float]]]
"""Evaluates ``(g,)`` rows, one whenever a worker is free, and gives each with its value when it has ended; None says that
there is none at present."""


def drive_freely(
    searcher: Searcher, evaluate: AsFinished, progress: Callable[[SearchProgress], None] | None = None
) -> SearchResult:
    """As :func:`drive`, without batches: whenever a worker is free, the searcher is asked for one more row.

    The front depends on which evaluation ends first, so two runs differ.

    Args:
        searcher: begun with ``SearchOptions(at_once=workers)``; one that must be told whole batches still waits for them.
        evaluate: tells the values of the one slow metric.
        progress: called after every evaluation.

    Raises:
        InfeasibleError: nothing that was evaluated meets all budgets.
    """

    def asked() -> Iterator[Population | None]:
        while True:  # the executor ends it, once no row is left and none is running
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
    many = searcher != "evolution"  # it scores one subnet at a time
    return population * generations * (1 + POLISH if many else 1)


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
        searcher: its name, see ``SEARCHERS``; None for the usual one.
        evaluations: subnets that may be scored; None for the searcher's own number.
        seed, start, population, generations, epsilon, fit, revise: see SearchOptions.
        evaluate: tells the values of rows, such as an Evaluator with a journal; None for ``problem.evaluate``.
        progress: called after every batch.

    Raises:
        UnknownNameError: no such searcher.
        InfeasibleError: a budget that no subnet meets; raised before the search where a bound is known.
        SpaceError: options that make no sense, or ``start`` outside the space.
    """
    name = searcher or usual_searcher(problem)
    if evaluations is None:
        evaluations = _usual_evaluations(name, problem, population or POPULATION, generations or GENERATIONS)
    options = SearchOptions(evaluations, seed, start, population, generations, epsilon, fit, revise=revise)
    found = drive(new_searcher(name, problem, options), evaluate or problem.evaluate, progress)
    return replace(found, certificate={"epsilon": epsilon} if name == "exact" else exact_share(found))
