"""The meaning of columns: a metric, or a companion of a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hwnas.metric import Direction, Metric, metrics, own_metric, registered

Directions = Mapping[str, Direction]
"""Directions of the user's own columns, from the provenance."""

NONE: Directions = {}

_BESIDE = {
    "std": "±",
    "measured": "Measured",
    "p95": "p95",
    "at_table_speed": "At table speed",
    "low": "At least",
    "high": "At most",
}
"""Titles of a metric's companions, such as ``latency_measured_ms``."""

_VERDICTS = {
    "latency_error_pct": replace(own_metric("latency_error_pct", "min"), label="Error", show="{:.3g}".format),
    "within_budget": replace(own_metric("within_budget", "max"), label="Holds"),
    "speed_pct": replace(own_metric("speed_pct", "max"), label="Speed", show="{:.0f}".format),
}
"""Columns that a measurement adds."""


@cache
def _beside() -> dict[str, tuple[Metric, str]]:
    return {metric.companion(what): (metric, what) for metric in metrics().values() for what in _BESIDE}


def beside(name: str) -> tuple[Metric, str] | None:
    """The metric of which a column is a companion, and its kind: ``top1_std`` is (top1, ``std``); None for others."""
    return _beside().get(name.partition("@")[0])


def column(name: str, directions: Directions = NONE) -> Metric:
    """The metric of a column, with its ``@device``. The user's own column has its name as title, and is minimised unless
    ``directions`` says otherwise."""
    known = registered(name)
    if known is not None:
        return replace(known, direction=directions.get(name, known.direction))
    found = beside(name)
    if found is not None:
        metric, what = found
        unit = "" if what == "std" else metric.unit
        label = ", ".join([_BESIDE[what], *filter(None, [name.partition("@")[2]])])
        return replace(metric, name=name, column=name, direction="min", unit=unit, label=label)
    stem, _, device = name.partition("@")
    if stem in _VERDICTS:
        verdict = _VERDICTS[stem]
        return replace(verdict, name=name, column=name, label=", ".join([verdict.label, *filter(None, [device])]))
    return own_metric(name, directions.get(name, "min"))


def is_known(name: str) -> bool:
    """Whether tables show the column by default."""
    found = beside(name)
    if found is not None:
        return found[1] not in ("low", "high")
    return name.partition("@")[0] in _VERDICTS or registered(name) is not None


def axis_scale(values: NDArray[np.float64], of: Metric) -> tuple[float, str]:
    """Divisor and unit of an axis: counts and bytes are shown in k, M or G, so that ticks are short."""
    if not of.scaled:
        return 1.0, of.unit
    largest = float(np.abs(values).max(initial=0.0))
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if largest >= 2 * factor:
            return factor, unit
    return 1.0, ""
