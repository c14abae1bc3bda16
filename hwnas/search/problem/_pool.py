"""Pool: what a search has scored so far. Every searcher keeps its front here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import InfeasibleError
from hwnas.quantity import format_quantity
from hwnas.search.problem._pareto import behind, hypervolume, non_dominated
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import Progress, SearchResult
from hwnas.space import Population, SearchSpace

Values = dict[str, NDArray[np.float64]]


class RowKeys:
    """64-bit keys of rows (Zobrist 1970): the wrapped sum of one random number per gene and choice.

    Two of a million rows collide with a chance of 3e-8; a searcher then passes over one subnet.
    """

    def __init__(self, space: SearchSpace) -> None:
        sizes = [len(g.choices) for g in space.genes]
        self._offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._numbers = np.random.default_rng(0).integers(0, 2**64, size=sum(sizes), dtype=np.uint64)

    def __call__(self, x: NDArray[Any]) -> NDArray[np.uint64]:
        """``(n,)`` keys of ``(n, g)`` canonical rows."""
        total = np.zeros(len(x), dtype=np.uint64)
        for column, offset in enumerate(self._offsets):
            total += self._numbers[offset + x[:, column]]
        return total


class Pool:
    """Distinct subnets scored so far, and the front of the feasible ones (an archive without bound)."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.evaluations = 0
        self.trace: list[tuple[int, float]] = []
        self.x: Population = np.zeros((0, problem.space.n_genes), dtype=np.int16)
        self.values: Values = {name: np.zeros(0) for name in problem.metrics}
        self._keys = RowKeys(problem.space)
        self._seen = np.zeros(0, dtype=np.uint64)
        self._reference: NDArray[np.float64] | None = None
        self._least_violated: tuple[float, Values] | None = None

    @property
    def costs(self) -> NDArray[np.float64]:
        """``(n, m)`` of the front, smaller is better."""
        return self.problem.costs(self.values)

    def fresh(self, x: NDArray[Any]) -> Population:
        """The distinct rows of ``x`` that were not scored yet, in canonical form and the same order."""
        x = self.problem.space.canonical(x)
        keys = self._keys(x)
        _, first = np.unique(keys, return_index=True)
        first.sort()
        return x[first[~self._known(keys[first])]]

    def distinct(self, x: Population) -> Population:
        """The distinct ones of canonical rows, in the same order."""
        first = np.unique(self._keys(x), return_index=True)[1]
        return x[np.sort(first)]

    def _known(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        if not len(self._seen):
            return np.zeros(len(keys), dtype=bool)
        at = np.searchsorted(self._seen, keys)
        return np.equal(self._seen[np.minimum(at, len(self._seen) - 1)], keys)

    def score(self, x: Population) -> Values:
        """Evaluate rows and add them; returns every metric."""
        values = self.problem.evaluate(x)
        self.add(x, values)
        return values

    def add(self, x: Population, values: Values, *, remember: bool = True) -> None:
        """Add rows that are scored already.

        Args:
            x: canonical rows.
            values: every metric of theirs.
            remember: whether ``fresh`` is to know them from now on.
        """
        self.evaluations += len(x)
        if remember:
            self._seen = np.sort(np.concatenate([self._seen, self._keys(x)]))
        violation = self.problem.violation(values)
        if len(x) and (self._least_violated is None or violation.min() < self._least_violated[0]):
            nearest = int(violation.argmin())
            self._least_violated = float(violation[nearest]), {k: v[[nearest]] for k, v in values.items()}
        feasible = violation <= 0
        if not feasible.any():
            return
        joined = {name: np.concatenate([self.values[name], values[name][feasible]]) for name in self.values}
        costs = self.problem.costs(joined)
        if self._reference is None:
            self._reference = costs.max(axis=0)
        kept = non_dominated(costs, distinct=True)
        self.x = np.concatenate([self.x, x[feasible]])[kept]
        self.values = {name: v[kept] for name, v in joined.items()}

    def span(self) -> NDArray[np.float64]:
        """``(m,)``: from the best of each cost to the worst of the first feasible subnets scored."""
        span = np.zeros(self.costs.shape[1]) if self._reference is None else self._reference - self.costs.min(axis=0)
        return np.maximum(span, 1e-12)

    def behind(self, costs: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n,)``: how far rows of costs are behind the front in the first cost; see ``behind``."""
        return behind(costs, self.costs)

    def hypervolume(self) -> float:
        """Of the front, against the worst values of the first feasible subnets scored."""
        return 0.0 if self._reference is None else hypervolume(self.costs, self._reference.tolist())

    def record(self, step: int, steps: int, progress: Callable[[Progress], None] | None) -> None:
        """Append to the trace, and tell the caller."""
        volume = self.hypervolume()
        self.trace.append((self.evaluations, volume))
        if progress is not None:
            progress(Progress(step, steps, self.evaluations, len(self.x), volume))

    def result(self, searcher: str, seed: int, certificate: dict[str, float] | None = None) -> SearchResult:
        """The front, best value of the first objective first.

        Raises:
            InfeasibleError: nothing that was scored meets all budgets.
        """
        if not len(self.x):
            raise self._nothing_feasible()
        costs = self.costs
        order = np.lexsort(costs.T[::-1])
        reference = np.zeros(costs.shape[1]) if self._reference is None else self._reference
        signs = [-1.0 if o.maximise else 1.0 for o in self.problem.objectives]
        return SearchResult(
            problem=self.problem,
            x=self.x[order],
            values={name: v[order] for name, v in self.values.items()},
            evaluations=self.evaluations,
            trace=tuple(self.trace),
            searcher=searcher,
            seed=seed,
            reference=tuple(float(s * r) for s, r in zip(signs, reference, strict=True)),
            certificate=certificate or {},
        )

    def _nothing_feasible(self) -> InfeasibleError:
        budgets = ", ".join(str(c) for c in self.problem.constraints)
        rule = f"none of {self.evaluations} subnets of {self.problem.space.name} meets all of it"
        if self._least_violated is None:
            return InfeasibleError(budgets, rule, "search longer")
        _, values = self._least_violated
        nearest = ", ".join(
            f"{c.name} = {format_quantity(values[c.name][0], c.unit, up=True)}" for c in self.problem.constraints
        )
        return InfeasibleError(budgets, rule, f"the nearest has {nearest}")
