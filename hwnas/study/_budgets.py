"""Budgets in the form that people write."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from hwnas.arguments import checked_name
from hwnas.errors import DataError
from hwnas.metric import LATENCY, Budget, Metric, check_bound, parse_budget, registered_or_own
from hwnas.quantity import typed_behind

Bound = str | float | Budget
"""``"6ms"``, a number in the metric's own unit, or a Budget."""


@dataclass(frozen=True)
class Budgets:
    """Budgets by column.

    Attributes:
        timed: those of latency, then those of throughput. Their columns name devices as typed; the main one has no name.
        others: all others.
    """

    timed: Mapping[str, Budget] = field(default_factory=dict)
    others: Mapping[str, Budget] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Iterable[tuple[str, Budget]]) -> Budgets:
        """Group budgets, each given with its text for messages.

        Raises:
            DataError: a metric has two budgets of one kind, or latency or throughput is bounded on the wrong side.
        """
        found: dict[str, Budget] = {}
        for said, budget in given:
            column, metric = budget.metric.column, budget.metric
            timed, known = metric.source == "device", found.get(column)
            if timed and (budget.upper < math.inf) == metric.maximise:
                side, sign = ("below", ">=") if metric.maximise else ("above", "<=")
                raise DataError(said, f"{metric.name} is only bounded from {side}", f"write it with {sign}")
            if known is not None and (
                max(known.upper, budget.upper) < math.inf or min(known.lower, budget.lower) > -math.inf
            ):
                raise DataError(said, f"{'this device' if timed else column} has two budgets", "keep one")
            found[column] = budget if known is None else known.within(budget)
        latency_first = sorted(found.items(), key=lambda item: item[1].metric.maximise)
        return cls(
            {column: b for column, b in latency_first if b.metric.source == "device"},
            {column: b for column, b in found.items() if b.metric.source != "device"},
        )

    @property
    def devices(self) -> list[str]:
        """Every device with a budget, in order; the main one is empty."""
        return list(dict.fromkeys(budget.metric.device for budget in self.timed.values()))


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
    metric = registered_or_own(checked_name("budget of", name, "latency"))
    sign = ">=" if metric.maximise else "<="
    if isinstance(value, str):
        signed = value.lstrip().startswith(("<=", ">=", "="))
        return parse_budget(f"{name}{'' if signed else sign}{value.strip()}", "budget")
    if not (isinstance(value, Real) and math.isfinite(value)):
        rule = "it is a text with its unit, or a finite number"
        raise DataError(f"budget {name} {value!r}", rule, 'write for example "6ms"')
    check_bound(metric, float(value), f"budget {name} {value}", "")
    return Budget(metric, lower=float(value)) if metric.maximise else Budget(metric, upper=float(value))


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
