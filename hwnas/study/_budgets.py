"""Budgets in the form that people write."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from hwnas.errors import DataError
from hwnas.metric import LATENCY, Budget, Metric, parse_budget, registered_or_own
from hwnas.quantity import typed_behind

Bound = str | float | Budget
"""``"6ms"``, a number in the metric's own unit, or a Budget."""


@dataclass(frozen=True)
class Budgets:
    """Budgets, grouped by their metrics.

    Attributes:
        ms: upper bounds on latency in ms, by the name of the device as typed; None is the main device.
        per_s: lower bounds on throughput in images per second, likewise.
        others: all other budgets by column.
    """

    ms: dict[str | None, float] = field(default_factory=dict)
    per_s: dict[str | None, float] = field(default_factory=dict)
    others: dict[str, Budget] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Iterable[tuple[str, Budget]]) -> Budgets:
        """Group budgets, each given with its text for messages.

        Raises:
            DataError: a metric has two budgets of one kind, or latency or throughput is bounded on the wrong side.
        """
        budgets = cls()
        for said, budget in given:
            if budget.metric.source == "device":
                budgets._add_timed(said, budget)
            else:
                budgets._add(said, budget)
        return budgets

    @property
    def devices(self) -> list[str | None]:
        """Every device with a budget, in order."""
        return list(dict.fromkeys([*self.ms, *self.per_s]))

    def _add_timed(self, said: str, budget: Budget) -> None:
        metric = budget.metric
        if (budget.upper < math.inf) == metric.maximise:
            side, sign = ("below", ">=") if metric.maximise else ("above", "<=")
            raise DataError(said, f"{metric.name} is only bounded from {side}", f"write it with {sign}")
        known, bound = (self.per_s, budget.lower) if metric.maximise else (self.ms, budget.upper)
        if (metric.device or None) in known:
            raise DataError(said, "this device has two budgets", "keep one")
        known[metric.device or None] = bound

    def _add(self, said: str, budget: Budget) -> None:
        column = budget.metric.column
        known = self.others.get(column)
        if known is not None and (
            max(known.upper, budget.upper) < math.inf or min(known.lower, budget.lower) > -math.inf
        ):
            raise DataError(said, f"{column} has two budgets", "keep one")
        self.others[column] = budget if known is None else known.within(budget)


def budgets_of(given: Mapping[str, Bound] | Sequence[str | Budget]) -> Budgets:
    """Budgets of ``{"latency": "6ms", "top1": 75}`` or ``["latency<=6ms", "top1>=75"]``.

    A bare value bounds the metric on its bad side: accuracy from below, latency from above.

    Raises:
        QuantityError: a text lacks its unit.
        DataError: see ``Budgets.of``.
    """
    if not isinstance(given, Mapping):
        return Budgets.of((str(b), _read(b)) for b in given)
    return Budgets.of((f"budget {name}", _bound(name, value)) for name, value in given.items())


def _read(bound: Any) -> Budget:
    if isinstance(bound, Budget):
        return bound
    if not isinstance(bound, str):
        raise DataError(f"budget {bound!r}", "it does not say what it bounds", 'write for example {"latency": "6ms"}')
    return parse_budget(bound, "budget")


def _bound(name: str, value: Any) -> Budget:
    if isinstance(value, Budget):
        return value
    metric = registered_or_own(name)
    if isinstance(value, str) and value.lstrip().startswith(("<=", ">=", "=")):
        return parse_budget(f"{name}{value.strip()}", "budget")
    if not isinstance(value, str) and not (isinstance(value, Real) and math.isfinite(value)):
        rule = "it is a text with its unit, or a finite number"
        raise DataError(f"budget {name} {value!r}", rule, 'write for example "6ms"')
    number = metric.parse(value, f"budget {name}") if isinstance(value, str) else float(value)
    return Budget(metric, lower=number) if metric.maximise else Budget(metric, upper=number)


def latency_ms(budget: Any) -> float:
    """Milliseconds of a latency budget: a text with its unit, ``"6ms"``, or a number of milliseconds.

    Raises:
        QuantityError: the text lacks its unit.
        DataError: the number is not positive and finite.
    """
    if isinstance(budget, str):
        return LATENCY.parse(budget, "budget")
    if not (isinstance(budget, Real) and 0 < float(budget) < math.inf):
        raise DataError(f"budget {budget!r}", "milliseconds are a positive number", 'write for example "6ms"')
    return float(budget)


def parse_timed(text: str, metric: Metric) -> tuple[str, Budget]:
    """The text and the budget of ``20ms`` or ``DEVICE=20ms``, the values of ``--latency`` and ``--throughput``.

    Raises:
        QuantityError: the number has no unit, or a wrong one.
        DataError: no device stands before the ``=``.
    """
    option = f"--{metric.name}"
    device, equals, value = text.rpartition("=")
    if equals and not device.strip():
        usual = {"ms": "20ms", "images/s": "50/s"}[metric.unit]
        rule = "no device stands before the equals sign"
        raise DataError(f"{option} {text}", rule, f"write {option} {value.strip() or usual}")
    with typed_behind(f"{device}{equals}", f"{option} {text}"):
        number = metric.parse(value, option)
    on = metric.on(device.strip())
    return f"{option} {text}", Budget(on, lower=number) if metric.maximise else Budget(on, upper=number)
