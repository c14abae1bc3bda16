"""The protocol of searchers, and their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchResult
from hwnas.space import Population, SearchSpace

Vector = NDArray[np.float64]


class Surrogate(Protocol):
    """A fitted predictor, as in :mod:`hwnas.predictor`."""

    def predict(self, x: NDArray[Any]) -> Vector:
        """``(n,)`` predictions for ``(n, g)`` canonical rows."""

    def predict_std(self, x: NDArray[Any]) -> Vector:
        """``(n,)`` standard deviations of the predictions."""

    def draws(self, x: NDArray[Any], n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """``(n, len(x))``: n joint draws of the values of all rows; asynchronous searches need them."""


Fit = Callable[[Population, Vector], Surrogate]
"""Fits a predictor to ``(n, g)`` canonical rows and ``(n,)`` values; n is 8 or more."""


@dataclass(frozen=True)
class SearchOptions:
    """How long and from where to search. A searcher ignores options that it has no use for.

    Attributes:
        evaluations: distinct subnets that may be scored in total; never exceeded.
        seed: seed of all random numbers; equal seeds and equal values give equal results.
        start: ``(k, g)`` rows to score first.
        population: subnets per generation of an evolution; None for the searcher's own choice.
        generations: generations of an evolution, whose remaining evaluations go to local searches; None for the
            searcher's own choice.
        epsilon: how much worse the exact searcher's front may be in the first objective; 0 is exact.
        fit: fits the predictor of a slow metric, for searchers that predict; None for a Gaussian process.
        at_once: evaluations that run at the same time in an asynchronous search (``drive_freely``); a searcher may then
            propose rows while others are pending. 1 where searchers are told whole batches.
        revise: better estimates of the slow metrics of rows told before, by everything known now (``Race.values``).
            Searchers that predict learn from these.
    """

    evaluations: int
    seed: int = 0
    start: NDArray[Any] | None = None
    population: int | None = None
    generations: int | None = None
    epsilon: float = 0.0
    fit: Fit | None = None
    at_once: int = 1
    revise: Callable[[Population], Mapping[str, Vector]] | None = None

    def start_rows(self, space: SearchSpace) -> Population:
        """``(k, g)`` canonical rows of ``start``; none if it is None."""
        return space.no_rows if self.start is None else space.canonical(self.start)


class Searcher(Protocol):
    """Proposes subnets, and learns from their values.

    Its state depends only on the rows told and their order. So an interrupted search resumes when a new searcher of
    the same name, problem and options is told the same rows again.
    """

    @property
    def problem(self) -> Problem:
        """What is searched for."""

    @property
    def options(self) -> SearchOptions:
        """The options that it was given."""

    def ask(self, n: int, /) -> Population:
        """``(<= n, g)`` distinct canonical rows to evaluate, none of them asked for or told before.

        It returns no rows while it waits for rows that it asked for. No rows with none pending means that it is done.
        """

    def tell(self, x: NDArray[Any], values: Mapping[str, NDArray[np.float64]], /) -> None:
        """Tell the values of evaluated rows.

        Args:
            x: ``(n, g)`` rows in any order, also ones that were not asked for.
            values: ``(n,)`` per metric, by name. Metrics that are not slow may be left out. The arrays are copied.

        Raises:
            SpaceError: a row is outside the space, or a slow metric is missing or not finite.
        """

    def front(self) -> SearchResult:
        """The front of all rows told so far.

        Raises:
            InfeasibleError: no row told meets all budgets.
        """


Maker = Callable[[Problem, SearchOptions], Searcher]
"""Begins a search."""
