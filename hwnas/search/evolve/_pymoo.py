"""NSGA-II (Deb et al. 2002) and U-NSGA-III (Seada and Deb 2016) by pymoo. No other file uses its algorithms.

pymoo ranks and selects. Variation is ours and works on whole populations. So is the choice of mates: pymoo's tournaments
compare one pair at a time and, for U-NSGA-III, draw from an unseeded generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.unsga3 import UNSGA3
from pymoo.core.individual import Individual
from pymoo.core.infill import InfillCriterion
from pymoo.core.population import Population as Individuals
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.termination import NoTermination

from hwnas.search.evolve._operators import crossover, mutate, mutation_rates
from hwnas.search.evolve._select import mates, tournament
from hwnas.search.problem._directions import reference_directions
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._seen import RowKeys, Values, first_places
from hwnas.space import Population

CROSSOVER = 0.9
"""Share of children with two parents; the others are mutants of one."""

ATTEMPTS = 3
"""Most matings per generation to find any child that was never scored."""


class Evolution:
    """A genetic algorithm of pymoo over the genes of a space, by ask and tell.

    Args:
        kind: ``nsga2`` or ``unsga3``.
        problem: what is searched for.
        population: children per generation, and survivors.
        rng: seeds the algorithm.
        first: distinct canonical rows of the first generation.
        known: tells which of ``(n, g)`` rows must not be proposed again.
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
        mating = _Mating(problem, known, along=kind == "nsga2" and len(problem.objectives) == 2)
        settings = {
            "pop_size": population,
            "sampling": _individuals(first),
            "mating": mating,
            "eliminate_duplicates": False,
        }
        if kind == "nsga2":
            self._algorithm = NSGA2(**settings)
        else:
            self._algorithm = UNSGA3(reference_directions(len(problem.objectives), population), **settings)
        shape = PymooProblem(
            n_var=problem.space.n_genes,
            n_obj=len(problem.objectives),
            n_ieq_constr=1 if problem.constraints else 0,  # without constraints, pymoo skips sorting by feasibility
            vtype=int,
        )
        self._algorithm.setup(shape, termination=NoTermination(), seed=int(rng.integers(2**31)))
        self._asked: Any = None

    def ask(self) -> Population:
        """``(<= population, g)`` distinct unknown canonical rows; none if no more were found."""
        self._asked = self._algorithm.ask()
        if self._asked is None:
            return self.problem.space.no_rows
        return _rows(self._asked)

    def tell(self, values: Values) -> None:
        """Tell every metric of the rows asked for; survivors are selected from these rows and the population."""
        self._asked.set("F", self.problem.costs(values), "CV", self.problem.violation(values)[:, None])
        self._algorithm.tell(infills=self._asked)

    @property
    def x(self) -> Population:
        """``(k, g)`` survivors."""
        return _rows(self._algorithm.pop)


class _Mating(InfillCriterion):  # type: ignore[misc]
    """Binary tournaments, uniform crossover and mutation of a whole population at once."""

    def __init__(self, problem: Problem, known: Callable[[Population], NDArray[np.bool_]], *, along: bool) -> None:
        super().__init__()
        self.space, self.known, self.along = problem.space, known, along
        self.rates, self.keys = mutation_rates(problem.space), RowKeys(problem.space)

    def do(self, _problem: Any, pop: Any, n_offsprings: int, *_: Any, random_state: Any = None, **__: Any) -> Any:
        """Children of a population, fewer than asked for if many were scored before."""
        x, rng = _rows(pop), random_state
        data = [individual.data for individual in pop]  # set by the survival step, but not for infeasible rows
        rank, niche = _column(data, "rank"), _column(data, "niche")
        # NSGA-II's second criterion is the crowding distance, U-NSGA-III's the nearness to a direction.
        merit = _column(data, "crowding") - _column(data, "dist_to_niche")
        ranked = pop.get("CV")[:, 0], rank, niche, merit
        for _attempt in range(ATTEMPTS):
            a = tournament(*ranked, n_offsprings, rng)
            # With two objectives the second parent is a neighbour of the first along the front.
            b = mates(pop.get("F"), a, rng) if self.along else tournament(*ranked, n_offsprings, rng)
            both = rng.random(n_offsprings) < CROSSOVER
            children = np.where(both[:, None], crossover(self.space, x[a], x[b], rng), x[a])
            children = mutate(self.space, children, self.rates, rng)
            children = children[first_places(self.keys(children))]
            children = children[~self.known(children)]
            if len(children):
                break
        return _individuals(children)


class _Subnet(Individual):  # type: ignore[misc]
    """An individual with fast access to its values, which a generation reads and sets thousands of times.

    pymoo's own looks each value up twice, and computes a violation before it is given one.
    """

    settings = Individual.default_config()

    def __init__(self, row: Population) -> None:
        super().__init__(self.settings, X=row)

    def get(self, *keys: str) -> Any:
        found = [self.data[key] if key in self.data else getattr(self, key, None) for key in keys]
        return found[0] if len(found) == 1 else tuple(found)

    def set(self, key: str, value: object) -> Individual:
        if hasattr(type(self), key):
            setattr(self, key, value)
        else:
            self.data[key] = value
        return self


def _individuals(x: Population) -> Any:
    return Individuals([_Subnet(row) for row in x])


def _rows(pop: Any) -> Population:
    return np.asarray(pop.get("X"), dtype=np.int16)


def _column(data: list[dict[str, Any]], name: str) -> NDArray[np.float64]:
    return np.array([of_one.get(name, 0.0) for of_one in data], dtype=np.float64)
