"""Trials: what each searcher finds with the same number of evaluations, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.search._run import run_search
from hwnas.search.evolve._evolution import evolution
from hwnas.search.evolve._nsga2 import NSGA2
from hwnas.search.exact._additive import MOST_ROWS, all_additive, exact
from hwnas.search.expensive._linas import Fit, LinasOptions, linas
from hwnas.search.problem._pareto import hypervolume, non_dominated
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import Progress, SearchOptions
from hwnas.space import Population

MARGIN = 0.1
"""The reference point lies beyond the worst values of the best-known front by this part of its range."""


@dataclass(frozen=True)
class Spend:
    """What a searcher is given.

    Attributes:
        evaluations: subnets it may evaluate.
        seed: of its random numbers.
        slow: the metric that an evaluation tells; all others are known beforehand.
        fit: makes the predictor of searchers that want one.
    """

    evaluations: int
    seed: int
    slow: str
    fit: Fit


Contender = Callable[[Problem, Spend], object]


def _random(problem: Problem, spend: Spend) -> None:
    rng, pool = np.random.default_rng(spend.seed), Pool(problem)
    while pool.evaluations < spend.evaluations:
        drawn = pool.fresh(problem.space.sample(spend.evaluations, rng, distinct_uniform=False))
        if not len(drawn):
            break
        pool.score(drawn[: spend.evaluations - pool.evaluations])


def _nsga2(problem: Problem, spend: Spend) -> None:
    """From random rows, as with few evaluations there is nothing else to start from; repeats cost nothing."""
    population = int(np.clip(spend.evaluations // 10, 50, 300))
    pool, algorithm = Pool(problem), NSGA2(problem, population, np.random.default_rng(spend.seed))
    for _ in range(20 * max(spend.evaluations // population, 1)):
        x = pool.fresh(algorithm.ask())[: min(population, spend.evaluations - pool.evaluations)]
        algorithm.tell(x, pool.score(x))
        if pool.evaluations >= spend.evaluations:
            break


def _linas(problem: Problem, spend: Spend) -> None:
    linas(problem, [spend.slow], spend.fit, LinasOptions(evaluations=spend.evaluations, seed=spend.seed))


CONTENDERS: dict[str, Contender] = {
    "random": _random,
    "nsga2": _nsga2,
    "evolution": lambda problem, spend: evolution(problem, spend.evaluations, spend.seed),
    "linas": _linas,
}
"""Searchers that spend evaluations, by name; each asks for the slow metric of rows it wants to know."""


@dataclass(frozen=True)
class Trial:
    """One searcher, one seed: the ``(n, g)`` rows it evaluated, in order; a repeat costs an evaluation."""

    searcher: str
    seed: int
    x: Population


def run_trial(problem: Problem, name: str, spend: Spend, contenders: Mapping[str, Contender] = CONTENDERS) -> Trial:
    """Let a searcher spend its evaluations, and write down on what."""
    asked: list[Population] = []
    slow = problem.metrics[spend.slow]

    def told(x: NDArray[Any]) -> NDArray[np.float64]:
        asked.append(np.asarray(x))
        return slow(x)

    recorded = Problem(
        problem.space,
        [replace(o, fn=told) if o.name == spend.slow else o for o in problem.objectives],
        [replace(c, fn=told) if c.name == spend.slow else c for c in problem.constraints],
    )
    contenders[name](recorded, spend)
    return Trial(name, spend.seed, problem.space.canonical(np.concatenate(asked))[: spend.evaluations])


def is_computable(problem: Problem) -> bool:
    """Whether the exact front can be had, if it is not too large."""
    return all_additive(problem) or problem.space.every(MOST_ROWS) is not None


def best_known(problem: Problem, progress: Callable[[Progress], None] | None = None) -> tuple[Population, str]:
    """The exact front where it can be had, else that of a long search on the metrics themselves; and which it is."""
    try:
        return exact(problem, SearchOptions(1, 1)).x, "exact"
    except SpaceError:
        return run_search(problem, "nsga2", progress=progress).x, "best known"


def best_of(problem: Problem, trials: Iterable[Trial]) -> Population:
    """The front of all that trials evaluated: what there is to measure them by where evaluations are slow.

    Raises:
        InfeasibleError: nothing that was evaluated meets the budgets.
    """
    pool = Pool(problem)
    pool.score(pool.fresh(np.concatenate([trial.x for trial in trials])))
    return pool.result("trials", 0).x


@dataclass(frozen=True)
class Yardstick:
    """What hypervolumes are measured from: the reference point, and what the best-known front has.

    Args:
        problem: what is searched for.
        front: ``(n, g)`` rows of the best-known front.
        reference: ``(m,)`` costs; by default a tenth of the front's range beyond its worst.
    """

    problem: Problem
    reference: NDArray[np.float64]
    best: float

    @classmethod
    def of(cls, problem: Problem, front: Population, reference: NDArray[np.float64] | None = None) -> Yardstick:
        costs = problem.costs(problem.evaluate(front))
        if reference is None:
            span = np.ptp(costs, axis=0)
            reference = costs.max(axis=0) + np.where(span > 0, MARGIN * span, np.maximum(np.abs(costs).max(axis=0), 1))
        return cls(problem, reference, hypervolume(costs, reference.tolist()))

    def curve(self, x: Population) -> NDArray[np.float64]:
        """``(n,)`` hypervolume after each of ``(n, g)`` rows, of those that keep the budgets."""
        values = self.problem.evaluate(x)
        return self.volumes(self.problem.costs(values), self.problem.violation(values) <= 0)

    def volumes(self, costs: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The same of ``(n, m)`` costs, and ``(n,)``: which of them count."""
        volumes, volume = np.zeros(len(costs)), 0.0
        front = np.zeros((0, costs.shape[1]))
        for i, cost in enumerate(costs):
            if kept[i] and (cost < self.reference).all() and not (front <= cost).all(axis=1).any():
                front = np.concatenate([front, cost[None]])
                front = front[non_dominated(front)]
                volume = hypervolume(front, self.reference.tolist())
            volumes[i] = volume
        return volumes
