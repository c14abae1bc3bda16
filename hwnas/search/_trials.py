"""Trials: compare what searchers find with the same number of evaluations, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.search._run import MOST_ASKED, run_search
from hwnas.search.exact._additive import MOST_ROWS, all_additive
from hwnas.search.problem._pareto import hypervolume, non_dominated
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchProgress
from hwnas.search.problem._searcher import Searcher
from hwnas.space import Population

MARGIN = 0.1
"""Distance of the reference point beyond the worst values of the best-known front, as a share of its range."""


@dataclass(frozen=True)
class Trial:
    """One searcher, one seed: the ``(n, g)`` rows it evaluated, in order."""

    searcher: str
    seed: int
    x: Population


def run_trial(name: str, searcher: Searcher) -> Trial:
    """Let a searcher spend its evaluations, and record the rows."""
    asked = [searcher.problem.space.no_rows]
    while len(x := searcher.ask(MOST_ASKED)):
        searcher.tell(x, searcher.problem.evaluate(x))
        asked.append(x)
    return Trial(name, searcher.options.seed, np.concatenate(asked))


def is_computable(problem: Problem) -> bool:
    """Whether there is a way to compute the exact front; it may still be too large."""
    return all_additive(problem) or problem.space.every(MOST_ROWS) is not None


def best_known(problem: Problem, progress: Callable[[SearchProgress], None] | None = None) -> tuple[Population, str]:
    """The exact front if it can be computed, otherwise the front of a long search on the metrics themselves.

    Returns:
        ``(n, g)`` rows, and ``"exact"`` or ``"best known"``.
    """
    all_known = Problem(problem.space, problem.objectives, problem.constraints)
    try:
        return run_search(all_known, "exact").x, "exact"
    except SpaceError:
        return run_search(all_known, progress=progress).x, "best known"


def best_of(problem: Problem, trials: Iterable[Trial]) -> Population:
    """The front of all rows that trials evaluated; trials are measured by it where evaluations are slow.

    Raises:
        InfeasibleError: no evaluated subnet meets the budgets.
    """
    pool = Pool(problem)
    x = pool.fresh(np.concatenate([trial.x for trial in trials]))
    pool.add(x, problem.evaluate(x))
    pool.refuse_empty(len(x))
    return pool.x


@dataclass(frozen=True)
class Yardstick:
    """Measures trials by the hypervolume of the best-known front.

    Args:
        problem: what is searched for.
        reference: ``(m,)`` costs.
        best: hypervolume of the best-known front.
    """

    problem: Problem
    reference: NDArray[np.float64]
    best: float

    @classmethod
    def of(cls, problem: Problem, front: Population, reference: NDArray[np.float64] | None = None) -> Yardstick:
        """From ``(n, g)`` rows of the best-known front.

        The default reference point is a tenth of the front's range beyond its worst values. Along an objective in
        which the front has no range, it is as far beyond as the value is large.
        """
        costs = problem.costs(problem.evaluate(front))
        if reference is None:
            span = np.ptp(costs, axis=0)
            reference = costs.max(axis=0) + np.where(span > 0, MARGIN * span, np.maximum(np.abs(costs).max(axis=0), 1))
        return cls(problem, reference, hypervolume(costs, reference))

    def curve(self, x: Population) -> NDArray[np.float64]:
        """``(n,)`` hypervolume after each of ``(n, g)`` rows; rows that break budgets add nothing."""
        values = self.problem.evaluate(x)
        return self.volumes(self.problem.costs(values), self.problem.violation(values) <= 0)

    def volumes(self, costs: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The curve from ``(n, m)`` costs; ``kept`` ``(n,)`` says which rows keep the budgets."""
        volumes, volume = np.zeros(len(costs)), 0.0
        front = np.zeros((0, costs.shape[1]))
        for i, cost in enumerate(costs):
            if kept[i] and (cost < self.reference).all() and not (front <= cost).all(axis=1).any():
                front = np.concatenate([front, cost[None]])
                front = front[non_dominated(front)]
                volume = hypervolume(front, self.reference)
            volumes[i] = volume
        return volumes
