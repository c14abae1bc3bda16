"""Pool: the rows that a search has scored so far, and their front."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import InfeasibleError
from hwnas.search.problem._pareto import behind, hypervolume, non_dominated
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._seen import RowKeys, Seen, Values, at_rows, first_places
from hwnas.space import Population


class Pool:
    """The non-dominated feasible rows among all rows added.

    Args:
        problem: what is searched for.

    Attributes:
        x: ``(n, g)`` rows of the front.
        values: ``(n,)`` values of each metric for these rows.
        seen: all rows that were added.
        keys: computes the keys of rows, for ``seen``.
        asked: how many rows the searcher asked for; other rows may have been told unasked.
        pending: ``(n, g)`` rows that were asked for and are not told yet, while the searcher goes on without them.
        reference: ``(m,)`` worst costs of the first feasible rows added; None before them.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.x: Population = problem.space.no_rows
        self.values: Values = {name: np.zeros(0) for name in problem.metrics}
        self.keys = RowKeys(problem.space)
        self.seen = Seen(problem.space, problem.metrics)
        self.asked = 0
        self.pending: Population = self.x
        self.reference: NDArray[np.float64] | None = None
        self._least_violated: tuple[float, Values] | None = None

    @property
    def costs(self) -> NDArray[np.float64]:
        """``(n, m)`` costs of the front; smaller is better."""
        return self.problem.costs(self.values)

    def fresh(self, x: NDArray[Any]) -> Population:
        """The distinct canonical rows of ``x`` that are neither added nor pending, in the same order."""
        x = self.problem.space.canonical(x)
        keys = self.keys(x)
        first = first_places(keys)
        fresh = first[self.seen.find(keys[first]) < 0]
        return x[fresh[~np.isin(keys[fresh], self.keys(self.pending))]] if len(self.pending) else x[fresh]

    def knows(self, x: Population) -> NDArray[np.bool_]:
        """``(n,)``: whether canonical rows were added."""
        return self.seen.find(self.keys(x)) >= 0

    def add(self, x: Population, values: Values, keys: NDArray[np.uint64] | None = None) -> None:
        """Add new canonical rows with the values of every metric, and their keys if known."""
        keys = self.keys(x) if keys is None else keys
        self.seen.add(keys, x, values)
        if len(self.pending):
            self.pending = self.pending[~np.isin(self.keys(self.pending), keys)]
        self._join(x, values)

    def revise(self, values: Values) -> None:
        """Replace the values of some metrics of all rows added, since better estimates are known."""
        self.seen.revise(values)
        self.x, self._least_violated = self.x[:0], None
        self.values = at_rows(self.values, slice(0))
        self._join(self.seen.x, self.seen.values)

    def joined(self, x: Population, values: Values) -> Self:
        """A read-only copy whose front also takes in these rows."""
        other = copy.copy(self)
        other._join(x, values)
        return other

    def _join(self, x: Population, values: Values) -> None:
        violation = self.problem.violation(values)
        if len(x) and (self._least_violated is None or violation.min() < self._least_violated[0]):
            self._least_violated = float(violation.min()), at_rows(values, np.array([violation.argmin()]))
        feasible = violation <= 0
        if not feasible.any():
            return
        joined = {name: np.concatenate([self.values[name], values[name][feasible]]) for name in self.values}
        costs = self.problem.costs(joined)
        if self.reference is None:
            self.reference = costs.max(axis=0)
        kept = non_dominated(costs, distinct=True)
        self.x = np.concatenate([self.x, x[feasible]])[kept]
        self.values = at_rows(joined, kept)

    def span(self) -> NDArray[np.float64]:
        """``(m,)``: the range of each cost, from the best so far to ``reference``."""
        span = np.zeros(self.costs.shape[1]) if self.reference is None else self.reference - self.costs.min(axis=0)
        return np.maximum(span, 1e-12)

    def behind(self, costs: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n,)``: how far ``(n, m)`` costs are behind the front; see ``hwnas.search.problem._pareto.behind``."""
        return behind(costs, self.costs)

    def hypervolume(self) -> float:
        """Hypervolume of the front against ``reference``."""
        return 0.0 if self.reference is None else hypervolume(self.costs, self.reference)

    def refuse_empty(self, scored: int) -> None:
        """Refuse to go on without a feasible row.

        Args:
            scored: how many rows there are, those of :meth:`joined` included.

        Raises:
            InfeasibleError: no row meets all budgets; the message names the nearest one.
        """
        if len(self.x):
            return
        budgets = ", ".join(str(c) for c in self.problem.constraints)
        if self._least_violated is None:
            raise InfeasibleError(budgets or "the front", "no subnet has been evaluated", "search longer")
        rule = f"none of {scored} subnets of {self.problem.space.name} meets all of it"
        _, values = self._least_violated
        nearest = ", ".join(f"{c.name} = {c.text(float(values[c.name][0]))}" for c in self.problem.constraints)
        raise InfeasibleError(budgets, rule, f"the nearest has {nearest}")
