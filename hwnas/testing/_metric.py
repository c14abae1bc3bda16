"""What every metric must do."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hwnas.errors import DataError
from hwnas.metric import DIRECTIONS, WRITTEN, Budget, Metric, check_values, metrics, parse_budget, registered
from hwnas.quantity import parse_number
from hwnas.testing._check import Check, refused, require


def names_are_typed_as_one_word(metric: Metric) -> None:
    """Name and column have no white space and none of ``,:=<>@``, so that ``--objectives`` and ``--budget`` can name them."""
    for name in (metric.name, metric.column):
        as_typed = name and not set(name) & set(",:=<>@") and not any(sign.isspace() for sign in name)
        require(as_typed, f"{name!r} cannot be typed as an objective")
    require(metric.label, "it has no label for axes and tables")


def names_are_its_own(metric: Metric) -> None:
    """No other registered metric has its name or column, and no other column of a CSV is named so."""
    beside = {m.companion(what): m.name for m in metrics().values() if m != metric for what in _BESIDE}
    for name in (metric.name, metric.column):
        known = registered(name)
        require(known in (None, metric), f"{name} is the name of another metric: {known}")
        require(name not in WRITTEN, f"{name} is a column that hwnas writes")
        require(name not in beside, f"{name} is a column that hwnas writes beside {beside.get(name)}")


def it_has_a_direction_and_possible_values(metric: Metric) -> None:
    """It has a direction and a range of possible values, and other values are refused."""
    require(metric.direction in DIRECTIONS, f"its direction is {metric.direction!r}")
    require(metric.lowest < metric.highest, f"no value lies within {metric.lowest}..{metric.highest}")
    for impossible in (metric.lowest - 1, metric.highest + 1):
        if math.isfinite(impossible):
            with refused(DataError, metric.name):
                check_values(metric, np.array([impossible]), metric.column)


def values_are_printed_short(metric: Metric) -> None:
    """Values print in at most 20 characters, with the unit once; NaN prints as a dash."""
    low = max(metric.lowest, -1e6)
    for value in np.linspace(low, min(metric.highest, 1e6), 7).tolist():
        text = metric.text(value)
        require(0 < len(text) <= 20, f"{value!r} is printed as {text!r}")
        require(metric.scaled or not metric.unit or text.count(metric.unit) == 1, f"{text!r} has not one unit")
    require(metric.text(math.nan).startswith("-"), "NaN is not printed as a dash")


def budgets_are_read(metric: Metric) -> None:
    """Once it is registered, bounds in both directions are read by name and by column, in its unit or as a plain number."""
    if registered(metric.name) != metric:
        return
    number = min(max(2.0, metric.lowest), metric.highest)
    unit, factor = ("", 1.0) if metric.parse is parse_number else _TYPED.get(metric.unit, (metric.unit, 1.0))
    value, amount = f"{number}{unit}", number * factor
    for name in (metric.name, metric.column):
        for sign, expected in ((">=", Budget(metric, lower=amount)), ("<=", Budget(metric, upper=amount))):
            found = parse_budget(f"{name}{sign}{value}")
            require(found == expected, f"{name}{sign}{value} is read as {found}")


_BESIDE = ("std", "low", "high", "measured", "p95", "at_table_speed")
"""What the columns beside that of a metric hold: the deviation and bounds of a prediction, and measurements."""

_TYPED = {"MACs": ("M", 1e6), "params": ("M", 1e6), "images/s": ("/s", 1.0)}
"""The suffix of a typed number where it differs from the unit, and its factor."""

METRIC_CHECKS: Sequence[Check] = (
    names_are_typed_as_one_word,
    names_are_its_own,
    it_has_a_direction_and_possible_values,
    values_are_printed_short,
    budgets_are_read,
)
"""Checks of a hwnas.Metric."""
