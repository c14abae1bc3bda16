"""SearchResult: the front a search found, and how it got there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._problem import Problem
from hwnas.space import AdditiveCost, Population


@dataclass(frozen=True)
class Progress:
    """What a running search tells its caller.

    Attributes:
        step: steps done (generations, rounds).
        steps: steps in all.
        evaluations: subnets scored so far; the local searches may score one twice.
        front: members of the front so far.
        hypervolume: of the front so far, against the search's own reference point.
    """

    step: int
    steps: int
    evaluations: int
    front: int
    hypervolume: float


@dataclass(frozen=True)
class SearchOptions:
    """How long and from where to search.

    Attributes:
        population: subnets per step.
        generations: steps.
        seed: of all random numbers; equal seeds give equal results.
        polish: evaluations of the local searches that end a search, about; 0 for none.
        seeds: ``(k, g)`` rows to start from, scored first.
        epsilon: of the exact searcher: how much worse in the first objective its front may be; 0 is exact.
        progress: called after every step.
        additive: additive approximations of objectives that are not AdditiveCosts, by name; a
            searcher that wants one and finds none fits it.
    """

    population: int
    generations: int
    seed: int = 0
    polish: int = 0
    seeds: NDArray[Any] | None = None
    epsilon: float = 0.0
    progress: Callable[[Progress], None] | None = None
    additive: Mapping[str, AdditiveCost] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchResult:
    """A Pareto front.

    Attributes:
        problem: what was searched for.
        x: ``(n, g)`` canonical rows, all feasible, none dominated; best value of the first objective first.
        values: ``(n,)`` values of every metric, by name.
        evaluations: subnets scored; the local searches may score one twice.
        trace: ``(evaluations, hypervolume)`` along the way.
        searcher: its name.
        seed: its seed.
        reference: ``(m,)`` reference point of the hypervolumes, in the objectives' own directions.
        certificate: what is known of the distance to the optimum, by name (``exact_share``).
    """

    problem: Problem
    x: Population
    values: dict[str, NDArray[np.float64]]
    evaluations: int
    trace: tuple[tuple[int, float], ...]
    searcher: str
    seed: int
    reference: tuple[float, ...] = ()
    certificate: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)
