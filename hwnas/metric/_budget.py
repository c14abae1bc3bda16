"""Budgets: bounds on a metric, and reading them as users type them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError, QuantityError
from hwnas.metric._metric import Metric
from hwnas.metric._possible import check_bound
from hwnas.metric._registry import LATENCY, near, registered, registered_or_own
from hwnas.quantity import format_quantity, typed_behind

_BOUND = re.compile(r"(?P<name>[^<>=]+?)\s*(?P<sign><=|>=|=|<|>)\s*(?P<value>[^<>=].*)")

_EXAMPLES = {"ms": "6ms", "MACs": "300M", "params": "5M", "B": "20MB", "images/s": "50/s", "%": "75"}
"""An example of a typed value, by unit."""


@dataclass(frozen=True)
class Budget:
    """Bounds on a metric: ``latency <= 6 ms``, ``top1 >= 75 %``, or both.

    Attributes:
        metric: the bounded metric.
        lower, upper: in its unit; infinite if there is no bound.
    """

    metric: Metric
    lower: float = -math.inf
    upper: float = math.inf

    def __str__(self) -> str:
        least = [f">= {self._value(self.lower)}"] if self.lower > -math.inf else []
        most = [f"<= {self._value(self.upper)}"] if self.upper < math.inf else []
        return f"{self.metric.column} {' and '.join([*least, *most])}"

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """``(n,)`` whether each value lies within the bounds."""
        within: NDArray[np.bool_] = (values >= self.lower) & (values <= self.upper)
        return within

    def within(self, other: Budget) -> Budget:
        """The intersection of two budgets."""
        return replace(self, lower=max(self.lower, other.lower), upper=min(self.upper, other.upper))

    def _value(self, value: float) -> str:
        return format_quantity(value, self.metric.unit)


def parse_budget(text: str, option: str = "--budget") -> Budget:
    """Read a budget: ``latency<=6ms``, ``top1>=75``, ``energy_mj=5``; a plain ``=`` is an upper bound.

    Raises:
        DataError: the text is no budget, ``=`` bounds a metric of which more is better, or the metric cannot have the value.
        QuantityError: the unit is wrong.
    """
    match = _BOUND.fullmatch(text.strip())
    if match is None:
        said = registered(text) or LATENCY
        example = f"{said.name}{'>=' if said.maximise else '<='}{_EXAMPLES.get(said.unit, '5')}"
        raise DataError(f"{option} {text}", "it reads COLUMN<=VALUE or COLUMN>=VALUE", f'write for example "{example}"')
    name, sign, value = match["name"].strip(), match["sign"], match["value"].strip()
    metric = registered_or_own(name)
    if sign in "<>":
        raise DataError(f"{option} {text}", "bounds include their value", f'write "{name}{sign}={value}"')
    if sign == "=" and metric.maximise:
        raise DataError(f"{option} {text}", "more of this is better", f'write "{name}>={value}"')
    try:
        with typed_behind(f"{name}{sign}", f"{option} {text.strip()}"):
            number = metric.parse(value, name)
    except QuantityError as error:
        meant = None if registered(name) else near(name)
        if meant is None:
            raise
        raise DataError(f"{option} {text}", error.rule, f'did you mean "{meant}{sign}{value}"?') from error
    check_bound(metric, number, f"{option} {text.strip()}", f"{name}{sign}")
    return Budget(metric, lower=number) if sign == ">=" else Budget(metric, upper=number)
