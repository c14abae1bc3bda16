"""SearchResult: the front that a search found, and how it got there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._seen import at_rows
from hwnas.space import Population


@dataclass(frozen=True)
class SearchProgress:
    """The progress of a running search.

    Attributes:
        evaluations: subnets scored so far.
        budget: subnets that may be scored in total.
        front: size of the front so far.
        hypervolume: hypervolume of the front so far, against the search's own reference point.
    """

    evaluations: int
    budget: int
    front: int
    hypervolume: float


@dataclass(frozen=True)
class SearchResult:
    """A Pareto front.

    Attributes:
        problem: what was searched for.
        x: ``(n, g)`` canonical rows, feasible and non-dominated, best value of the first objective first.
        values: ``(n,)`` values of every metric, by name.
        evaluations: distinct subnets scored.
        trace: ``(evaluations, hypervolume)`` after every batch.
        searcher: name of the searcher.
        seed: seed of the search.
        reference: ``(m,)`` reference point of the hypervolumes, in the objectives' own directions.
        certificate: how near the optimum the front is, as far as ``run_search`` knows: ``exact_share`` or ``epsilon``.
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

    @classmethod
    def of(
        cls,
        pool: Pool,
        searcher: str,
        seed: int,
        evaluations: int,
        trace: tuple[tuple[int, float], ...],
    ) -> SearchResult:
        """The front of a pool, best value of the first objective first.

        Raises:
            InfeasibleError: no row of the pool meets all budgets.
        """
        pool.refuse_empty(evaluations)
        costs = pool.costs
        order = np.lexsort(costs.T[::-1])
        reference = np.zeros(costs.shape[1]) if pool.reference is None else pool.reference
        return cls(
            problem=pool.problem,
            x=pool.x[order],
            values=at_rows(pool.values, order),
            evaluations=evaluations,
            trace=trace,
            searcher=searcher,
            seed=seed,
            reference=tuple(o.cost(r) for o, r in zip(pool.problem.objectives, reference.tolist(), strict=True)),
        )

    def __len__(self) -> int:
        return len(self.x)
