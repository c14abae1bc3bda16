"""The protocol of searchers, and what they are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchResult
from hwnas.space import Population

Vector = NDArray[np.float64]


class Surrogate(Protocol):
    """A fitted predictor: what :mod:`hwnas.predictor` offers."""

    def predict(self, x: NDArray[Any]) -> Vector:
        """``(n,)`` predictions for ``(n, g)`` canonical rows."""

    def predict_std(self, x: NDArray[Any]) -> Vector:
        """``(n,)`` their standard deviations."""

    def draws(self, x: NDArray[Any], n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """``(n, len(x))``: what the values of all rows may be, drawn n times; asked for where evaluations overlap."""


Fit = Callable[[Population, Vector], Surrogate]
"""``(n, g)`` canonical rows and ``(n,)`` values to a predictor; eight or more rows."""


@dataclass(frozen=True)
class SearchOptions:
    """How long and from where to search; what a searcher has no use for, it ignores.

    Attributes:
        evaluations: distinct subnets that may be scored, in all; never exceeded.
        seed: of all random numbers; equal seeds and equal values give equal results.
        start: ``(k, g)`` rows to score first.
        population: subnets per generation of an evolution; None for the searcher's own choice.
        generations: of an evolution; the evaluations that are left go to local searches. None for the searcher's own
            choice.
        epsilon: of the exact searcher: how much worse in the first objective its front may be; 0 is exact.
        fit: makes the predictor of a slow metric, for searchers that predict; None for a Gaussian process.
        at_once: evaluations that run at the same time where nobody waits for a whole batch (``drive_freely``): a searcher
            that can proposes more while others are pending. 1 where batches are told whole.
        revise: the values of slow metrics of rows that were told before, by all that is known by now, where subnets are
            judged on ever more samples; searchers that predict learn from these.
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


class Searcher(Protocol):
    """Proposes subnets, and learns from what it is told of them.

    The state depends on what was told, in which order, and on nothing else: a search that was interrupted goes on
    where it was when another searcher of the same name, problem and options is told the same rows again.
    """

    @property
    def problem(self) -> Problem:
        """What is searched for."""

    @property
    def options(self) -> SearchOptions:
        """What it was given."""

    def ask(self, n: int, /) -> Population:
        """``(<= n, g)`` canonical rows to evaluate, all different, none asked for or told before.

        No rows while it waits for ones that it asked for; no rows with none pending means that it is done.
        """

    def tell(self, x: NDArray[Any], values: Mapping[str, NDArray[np.float64]], /) -> None:
        """What evaluations gave.

        Args:
            x: ``(n, g)`` rows in any order; rows that were not asked for are learned from as well.
            values: ``(n,)`` per metric, by name. Those that are not slow may be left out. Whoever tells may use the arrays again.

        Raises:
            SpaceError: rows outside the space, or a slow metric that is missing or not finite.
        """

    def front(self) -> SearchResult:
        """The front of everything told so far.

        Raises:
            InfeasibleError: nothing told meets all budgets.
        """


Maker = Callable[[Problem, SearchOptions], Searcher]
"""Begins a search."""
