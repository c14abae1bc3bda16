"""The best subnet under a budget, found by a search of the front of the objective and the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search.exact._additive import all_additive
from hwnas.search.problem._problem import Objective, Problem
from hwnas.search.problem._result import SearchResult
from hwnas.search.problem._searcher import Maker, Searcher, SearchOptions
from hwnas.space import Population


def along_a_budget(make: Maker) -> Maker:
    """A searcher like ``make``, except for a single objective with an upper budget. Then it searches the front of the
    objective and the first budget, and returns the end of that front.

    A single objective drives all rows into one local optimum near the budget. A front keeps many different rows, whose
    neighbours reach better ones. If all metrics are additive, ``make`` computes the optimum.
    """

    def begin(problem: Problem, options: SearchOptions) -> Searcher:
        ceilings = [c for c in problem.constraints if c.upper < math.inf]
        if len(problem.objectives) > 1 or not ceilings or all_additive(problem):
            return make(problem, options)
        (objective,), budget = problem.objectives, ceilings[0]
        if budget.name == objective.name:
            return make(problem, options)
        second = Objective(budget.name, budget.unit, maximise=False, fn=budget.fn)
        two = Problem(problem.space, [objective, second], problem.constraints, problem.slow)
        return _BestRow(problem, make(two, options))

    return begin


class _BestRow:
    """Returns only the best row, in the first objective, of another searcher's front."""

    def __init__(self, problem: Problem, along: Searcher) -> None:
        self.problem, self.options = problem, along.options
        self._along = along

    def ask(self, n: int, /) -> Population:
        """See Searcher."""
        return self._along.ask(n)

    def tell(self, x: NDArray[Any], values: Mapping[str, NDArray[np.float64]], /) -> None:
        """See Searcher."""
        self._along.tell(x, values)

    def front(self) -> SearchResult:
        """The best row; see Searcher."""
        found = self._along.front()
        costs = self.problem.costs(found.values)[:, 0]
        best = np.array([int(costs.argmin())])
        gain = max(self.problem.objectives[0].cost(found.reference[0]) - float(costs.min()), 0.0)
        return replace(
            found,
            problem=self.problem,
            x=found.x[best],
            values={name: found.values[name][best] for name in self.problem.metrics},
            trace=((found.evaluations, gain),),
            reference=found.reference[:1],
        )
