"""The best subnet under a budget: one objective, searched along the front of the objective and the budget."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hwnas.search.exact._additive import all_additive
from hwnas.search.problem._problem import Objective, Problem
from hwnas.search.problem._result import SearchOptions, SearchResult

Searcher = Callable[[Problem, SearchOptions], SearchResult]


def along_a_budget(search: Searcher) -> Searcher:
    """``search``, which for one objective under upper bounds searches the whole front towards the first of them.

    A single objective drives all rows into one optimum near the budget; those along the front keep many apart,
    and their neighbours reach better ones. Where all is additive the optimum is known without.
    """

    def run(problem: Problem, options: SearchOptions) -> SearchResult:
        ceilings = [c for c in problem.constraints if c.upper < math.inf]
        if len(problem.objectives) > 1 or not ceilings or all_additive(problem):
            return search(problem, options)
        (objective,), budget = problem.objectives, ceilings[0]
        if budget.name == objective.name:
            return search(problem, options)
        second = Objective(budget.name, budget.unit, maximise=False, fn=budget.fn)
        found = search(Problem(problem.space, [objective, second], problem.constraints), options)
        costs = problem.costs(found.values)[:, 0]
        best = np.array([int(costs.argmin())])
        sign = -1.0 if objective.maximise else 1.0
        gain = max(sign * found.reference[0] - float(costs.min()), 0.0)
        return replace(
            found,
            problem=problem,
            x=found.x[best],
            values={name: found.values[name][best] for name in problem.metrics},
            trace=((found.evaluations, gain),),
            reference=found.reference[:1],
        )

    return run
