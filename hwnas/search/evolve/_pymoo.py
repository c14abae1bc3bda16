"""Everything taken from pymoo: NSGA-II (Deb et al. 2002) and U-NSGA-III (Seada and Deb 2016). It stays in this file.

pymoo selects survivors; what it varies them by are hwnas's operators, which work on whole populations. Mates are
chosen here too, since pymoo's tournaments compare one pair at a time and, for U-NSGA-III, draw from an unseeded generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.unsga3 import UNSGA3
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.selection import Selection
from pymoo.core.termination import NoTermination

from hwnas.search.evolve._operators import crossover, mutate, mutation_rates
from hwnas.search.evolve._select import mates, tournament
from hwnas.search.problem._directions import reference_directions
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._seen import RowKeys, Values
from hwnas.space import Population, SearchSpace

CROSSOVER = 0.9
"""Share of children with two parents; the rest are mutants of one."""

ATTEMPTS = 10
"""Matings per generation, at most, to find children that were never scored."""


class Evolution:
    """A genetic algorithm of pymoo's over the genes of a space, by ask and tell.

    Args:
        kind: ``nsga2`` or ``unsga3``.
        problem: what is searched for.
        population: children per generation, and survivors.
        rng: seeds the algorithm.
        first: rows of the first generation.
        known: which of ``(n, g)`` rows are not to be proposed again.
    """

    def __init__(
        self,
        kind: str,
        problem: Problem,
        population: int,
        rng: np.random.Generator,
        first: Population,
        known: Callable[[Population], NDArray[np.bool_]],
    ) -> None:
        self.problem = problem
        settings = {
            "pop_size": population,
            "sampling": first,
            "selection": _Mates(along=kind == "nsga2" and len(problem.objectives) == 2),
            "crossover": _Crossover(problem.space),
            "mutation": _Mutation(problem.space),
            "eliminate_duplicates": _Duplicates(RowKeys(problem.space), known),
        }
        if kind == "nsga2":
            self._algorithm = NSGA2(**settings)
        else:
            directions = reference_directions(len(problem.objectives), population)
            self._algorithm = UNSGA3(directions, **settings)
        self._algorithm.mating.n_max_iterations = ATTEMPTS
        shape = PymooProblem(n_var=problem.space.n_genes, n_obj=len(problem.objectives), n_ieq_constr=1, vtype=int)
        self._algorithm.setup(shape, termination=NoTermination(), seed=int(rng.integers(2**31)))
        self._asked: Any = None

    def ask(self) -> Population:
        """``(<= population, g)`` canonical rows, distinct and not known; none where the space is exhausted."""
        self._asked = self._algorithm.ask()
        if self._asked is None or not len(self._asked):
            return np.zeros((0, self.problem.space.n_genes), dtype=np.int16)
        return np.asarray(self._asked.get("X"), dtype=np.int16)

    def tell(self, values: Values) -> None:
        """Every metric of the rows asked for; survivors are selected among them and the population."""
        self._asked.set("F", self.problem.costs(values), "G", self.problem.violation(values)[:, None])
        self._algorithm.tell(infills=self._asked)

    @property
    def x(self) -> Population:
        """``(k, g)`` the survivors."""
        return np.asarray(self._algorithm.pop.get("X"), dtype=np.int16)


class _Mates(Selection):  # type: ignore[misc]
    """Parents by binary tournament; with two objectives the second is a neighbour of the first along the front."""

    def __init__(self, *, along: bool) -> None:
        super().__init__()
        self.along = along

    def _do(
        self, _problem: Any, pop: Any, n_select: int, n_parents: int, *_: Any, random_state: Any = None, **__: Any
    ) -> NDArray[np.intp]:
        ranked = pop.get("CV")[:, 0], _numbers(pop, "rank"), _numbers(pop, "niche"), _merit(pop)
        parents = [tournament(*ranked, n_select, random_state)]
        for _ in range(1, n_parents):
            if self.along:
                parents.append(mates(pop.get("F"), parents[0], random_state))
            else:
                parents.append(tournament(*ranked, n_select, random_state))
        return np.stack(parents, axis=1)


def _numbers(pop: Any, name: str) -> NDArray[np.float64]:
    """What survival has noted of each individual; 0 where it notes nothing, as of infeasible ones."""
    return np.array([0.0 if v is None else float(v) for v in pop.get(name)])


def _merit(pop: Any) -> NDArray[np.float64]:
    """The second criterion: crowding distance under NSGA-II, nearness to the direction under U-NSGA-III."""
    crowding: NDArray[np.float64] = _numbers(pop, "crowding") - _numbers(pop, "dist_to_niche")
    return crowding


class _Crossover(Crossover):  # type: ignore[misc]
    def __init__(self, space: SearchSpace) -> None:
        super().__init__(n_parents=2, n_offsprings=1, prob=1.0)
        self.space = space

    def _do(self, _problem: Any, x: NDArray[Any], *_: Any, random_state: Any = None, **__: Any) -> NDArray[Any]:
        crossed = crossover(self.space, x[0], x[1], random_state)
        both = random_state.random(len(crossed)) < CROSSOVER
        return np.where(both[:, None], crossed, x[0])[None]


class _Mutation(Mutation):  # type: ignore[misc]
    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space, self.rates = space, mutation_rates(space)

    def _do(self, _problem: Any, x: NDArray[Any], *_: Any, random_state: Any = None, **__: Any) -> NDArray[Any]:
        return mutate(self.space, x.astype(np.int16), self.rates, random_state)


class _Duplicates(DuplicateElimination):  # type: ignore[misc]
    """Rows that occur twice, or that are known."""

    def __init__(self, keys: RowKeys, known: Callable[[Population], NDArray[np.bool_]]) -> None:
        super().__init__()
        self.keys, self.known = keys, known

    def _do(self, pop: Any, other: Any, is_duplicate: NDArray[np.bool_]) -> NDArray[np.bool_]:
        x = pop.get("X").astype(np.int16)
        keys = self.keys(x)
        if other is not None:
            return np.asarray(is_duplicate | np.isin(keys, self.keys(other.get("X").astype(np.int16))))
        first = np.zeros(len(keys), dtype=bool)
        first[np.unique(keys, return_index=True)[1]] = True
        return np.asarray(is_duplicate | ~first | self.known(x))
