"""The search problem: objectives, budgets, and the check that the budgets can be met at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import InfeasibleError, SpaceError
from hwnas.quantity import format_quantity
from hwnas.search.problem._capabilities import Additive, Bounded
from hwnas.space import SearchSpace

MetricFunction = Callable[[NDArray[Any]], NDArray[np.float64]]
"""Scores a population: ``(n, g)`` canonical rows to ``(n,)`` values. An AdditiveCost is one."""


Capability = TypeVar("Capability")

Amounts = TypeVar("Amounts", float, NDArray[np.float64])

MAX_OBJECTIVES = 4


def check_count(objectives: Sequence[str]) -> None:
    """Check that there are one to ``MAX_OBJECTIVES`` objectives.

    Raises:
        SpaceError: there are not; the message names them.
    """
    if not 1 <= len(objectives) <= MAX_OBJECTIVES:
        given = ", ".join(objectives) or "none"
        raise SpaceError(f"objectives: {given}", f"a search has one to {MAX_OBJECTIVES}", "make the rest budgets")


@dataclass(frozen=True)
class Objective:
    """A metric to make as small, or as large, as possible.

    Attributes:
        name: column of the result, with its unit if it has one (``"latency_ms"``, ``"top1"``).
        unit: unit in messages (``"ms"``, ``"%"``).
        maximise: whether larger is better.
        fn: the metric.
    """

    name: str
    unit: str
    maximise: bool
    fn: MetricFunction

    def cost(self, values: Amounts) -> Amounts:
        """Values signed so that smaller is better; applied to costs, the values again."""
        return -values if self.maximise else values


@dataclass(frozen=True)
class Constraint:
    """A budget: ``lower <= fn(x) <= upper``.

    Attributes:
        name: column of the result; an objective of the same name must have the same ``fn``.
        unit: unit in messages; with ``"ms"`` they speak of the fastest subnet, otherwise of the smallest.
        fn: the metric. If it is ``Bounded``, an infeasible budget is refused before the search.
        upper: bound in ``unit``; infinite for none.
        device: where the metric was measured, for messages.
        lower: bound in ``unit``; minus infinity for none.
    """

    name: str
    unit: str
    fn: MetricFunction
    upper: float = math.inf
    device: str | None = None
    lower: float = -math.inf

    def __str__(self) -> str:
        least = [f">= {format_quantity(self.lower, self.unit)}"] if self.lower > -math.inf else []
        most = [f"<= {format_quantity(self.upper, self.unit)}"] if self.upper < math.inf else []
        return f"{self.name} {' and '.join([*least, *most])}"

    def text(self, value: float) -> str:
        """A value as text, rounded such that a value that breaks the budget never reads as if it kept it."""
        return format_quantity(value, self.unit, up=value > self.upper, down=value < self.lower)

    def excess(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far values are outside the bounds, relative to the broken bound; 0 within the bounds."""
        total = np.zeros(np.shape(values))
        if self.upper < math.inf:
            total += np.maximum(values - self.upper, 0.0) / max(abs(self.upper), 1e-12)
        if self.lower > -math.inf:
            total += np.maximum(self.lower - values, 0.0) / max(abs(self.lower), 1e-12)
        return total


@dataclass(frozen=True)
class Problem:
    """A space, one to four objectives, and any number of budgets.

    Attributes:
        space: what is searched.
        objectives: metrics to make as small, or as large, as possible.
        constraints: the budgets.
        slow: names of metrics that need an evaluation. Searchers are told their values and never call them; every
            other metric is cheap, and searchers call it freely.

    Raises:
        SpaceError: there are no or too many objectives, two metrics share a name, or a slow metric is unknown.
    """

    space: SearchSpace
    objectives: Sequence[Objective]
    constraints: Sequence[Constraint] = ()
    slow: Sequence[str] = ()

    def __post_init__(self) -> None:
        for part in ("objectives", "constraints", "slow"):
            object.__setattr__(self, part, tuple(getattr(self, part)))
        check_count([o.name for o in self.objectives])
        metrics: dict[str, MetricFunction] = {}
        for name, fn in self._named():
            if metrics.setdefault(name, fn) is not fn:
                raise SpaceError(f"metric {name!r}", "two different metrics have this name", "rename one")
        if len({o.name for o in self.objectives}) < len(self.objectives):
            raise SpaceError("objectives", "one of them is given twice", "name each once")
        if unknown := [name for name in self.slow if name not in metrics]:
            rule = f"the problem has {', '.join(metrics)}"
            raise SpaceError(f"slow metric {unknown[0]!r}", rule, "name one of them")

    @property
    def metrics(self) -> dict[str, MetricFunction]:
        """Every metric by name: objectives first, in order, then metrics that only have budgets."""
        return dict(self._named())

    def _named(self) -> list[tuple[str, MetricFunction]]:
        return [*((o.name, o.fn) for o in self.objectives), *((c.name, c.fn) for c in self.constraints)]

    @property
    def known(self) -> dict[str, MetricFunction]:
        """The metrics that are not slow, by name."""
        return {name: fn for name, fn in self.metrics.items() if name not in self.slow}

    def offering(self, capability: type[Capability]) -> dict[str, Capability]:
        """The known metrics that have a capability, such as ``Additive``, by name."""
        metrics: dict[str, object] = dict(self.known)
        return {name: fn for name, fn in metrics.items() if isinstance(fn, capability)}

    def evaluate(self, x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Every metric of every row, by name: ``(n,)`` each."""
        return _values(self.metrics, x)

    def evaluate_known(self, x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Every metric that is not slow, by name: ``(n,)`` each."""
        return _values(self.known, x)

    def costs(self, values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """``(n, m)`` objective values, signed so that smaller is better."""
        return np.stack([o.cost(values[o.name]) for o in self.objectives], axis=1)

    def violation(self, values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """``(n,)`` sum over budgets of the relative excess; 0 is feasible."""
        total = np.zeros(len(next(iter(values.values()))))
        for c in self.constraints:
            total += c.excess(values[c.name])
        return total

    def refuse_infeasible(self) -> None:
        """Refuse budgets that no subnet can meet, without a search.

        Raises:
            InfeasibleError: a budget cannot be met; the message states it and the exact minimum or maximum.
        """
        bounded, sums = self.offering(Bounded), self.offering(Additive)
        for c in self.constraints:
            if c.name in bounded:
                smallest, _ = bounded[c.name].within(self.space).minimum()
                if smallest > c.upper:
                    raise infeasible(self.space, c, smallest)
            if c.name in sums and c.lower > -math.inf:
                largest, _ = sums[c.name].within(self.space).maximum()
                if largest < c.lower:
                    rule = f"no subnet of {self.space.name} reaches {format_quantity(c.lower, c.unit)}"
                    remedy = f"the largest has {format_quantity(largest, c.unit, down=True)}"
                    raise InfeasibleError(str(c), rule, remedy)


def _values(metrics: Mapping[str, MetricFunction], x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    return {name: np.asarray(fn(x), dtype=np.float64) for name, fn in metrics.items()}


def infeasible(space: SearchSpace, c: Constraint, smallest: float) -> InfeasibleError:
    """The error for one budget below the smallest value of its metric."""
    budget = format_quantity(c.upper, c.unit)
    least = format_quantity(smallest, c.unit, up=True)
    where = f" on {c.device}" if c.device else ""
    if c.unit == "ms":
        rule = f"no subnet of {space.name} runs under {budget}{where}"
        remedy = f"the fastest takes {least}"
    else:
        rule = f"no subnet of {space.name} stays within {budget}{where}"
        remedy = f"the smallest needs {least}"
    return InfeasibleError(str(c), rule, remedy)
