"""Checks that a metric can have certain values."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.metric._metric import Metric


def check_bound(metric: Metric, bound: float, said: str, words: str) -> None:
    """Refuse a bound outside of a metric's range, or a fraction if values are in percent.

    Args:
        metric: the bounded metric.
        bound: in its unit.
        said: the text that was typed, with its option.
        words: the text before the bound.

    Raises:
        DataError: with an example of a possible bound.
    """
    is_fraction = _is_share(metric) and 0 < bound <= 1
    if metric.lowest <= bound <= metric.highest and not is_fraction:
        return
    value = 100 * bound if is_fraction else 0.75 * metric.highest if metric.highest < math.inf else metric.lowest
    raise DataError(said, _range(metric), f'write for example "{words}{value:g}"')


def check_range(metric: Metric, values: NDArray[np.float64], where: str) -> None:
    """Refuse values that a metric cannot have, such as accuracies above 100 % or NaN.

    Args:
        metric: of the values.
        values: ``(n,)``.
        where: the column, for the message.

    Raises:
        DataError: names the first such row, counted from 1.
    """
    possible = np.isfinite(values) & (values >= metric.lowest) & (values <= metric.highest)
    if not possible.all():
        row = int(possible.argmin())
        rule = _range(metric) if np.isfinite(values[row]) else "it is no finite number"
        raise DataError(f"row {row + 1}, {where} {values[row]:g}", rule, "correct it")


def check_values(metric: Metric, values: NDArray[np.float64], where: str) -> None:
    """As :func:`check_range`; also refuses accuracies that are written as fractions."""
    check_range(metric, values, where)
    if _is_share(metric) and len(values) and 0 < values.max() <= 1.0:
        rule = f"{metric.name} is in percent"
        raise DataError(f"column {where!r}, at most {values.max():g}", rule, "multiply it by 100")


def _is_share(metric: Metric) -> bool:
    """Whether the metric is a share in percent, which some write as a fraction."""
    return metric.unit == "%" and metric.highest == 100


def _range(metric: Metric) -> str:
    percent = " percent" if metric.unit == "%" else ""
    return f"{metric.name} lies within {metric.lowest:g}..{metric.highest:g}{percent}"
