"""Metric: a named number of a subnet, with its unit and direction."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwnas.arguments import checked_name
from hwnas.errors import DataError
from hwnas.quantity import parse_number

Direction = Literal["max", "min"]
Source = Literal["weights", "untrained", "device", "layers", "file", "metrics"]
"""Where values come from: a predictor or an evaluation of the weights; the untrained network (a score, not an accuracy); a
latency table or the device; the layers; a user's file; or other metrics."""

DIRECTIONS: tuple[Direction, ...] = ("max", "min")

UNITS = {"ms": "ms", "bytes": "B", "pct": "%"}
"""Units by the ending of a column's name (``_ms``, ``_bytes``, ``_pct``)."""


@dataclass(frozen=True)
class Metric:
    """A named number of a subnet.

    Attributes:
        name: as users type it (``"latency"``).
        column: its column in tables and files, with the unit (``"latency_ms"``).
        direction: ``"max"`` if more is better, ``"min"`` if less is better.
        unit: of the column's values (``"ms"``); empty for a plain number.
        label: title of an axis or of a table's column.
        source: where its values come from; see ``Source``.
        aliases: other names of the column, in lower case without punctuation.
        lowest, highest: bounds of possible values.
        parse: ``(text, option)`` to a value in ``unit``; raises QuantityError.
        show: formats a value without ``unit``.
        scaled: whether ``show`` writes its own unit or factor (``61.0M``, ``4.1 MB``).
        count: for a metric that is computed from layers, a function of ``(space, images per run)`` that returns a function of
            ``(n, g)`` rows; None if `hwnas.space` computes the metric.
        of, derive: for a metric that is computed from other metrics, their columns, and a function of their ``(n,)`` values.
    """

    name: str
    column: str
    direction: Direction
    unit: str = ""
    label: str = ""
    source: Source = "file"
    aliases: tuple[str, ...] = ()
    lowest: float = -math.inf
    highest: float = math.inf
    parse: Callable[[str, str], float] = parse_number
    show: Callable[[float], str] = "{:.3g}".format
    scaled: bool = False
    count: Callable[[Any, int], Any] | None = field(default=None, compare=False)
    of: tuple[str, ...] = ()
    derive: Callable[..., NDArray[np.float64]] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        checked_name("metric", self.name, "energy")
        checked_name("column", self.column, "energy_mj")
        if self.direction not in DIRECTIONS:
            remedy = f"write {self.name}:max or {self.name}:min"
            raise DataError(f"direction {self.direction!r} of {self.name}", "it is max or min", remedy)
        if not (self.source == "metrics") == bool(self.of) == (self.derive is not None) or self.column in self.of:
            rule = 'one of other metrics states source="metrics", of=(columns) and derive=function; others none of them'
            raise DataError(f"metric {self.name}", rule, "correct its entry")

    @property
    def maximise(self) -> bool:
        """Whether more is better."""
        return self.direction == "max"

    @property
    def title(self) -> str:
        """Label and unit, as the title of an axis or a column."""
        return f"{self.label} ({self.unit})" if self.unit and not self.scaled else self.label

    @property
    def device(self) -> str:
        """Name of the device, if it is not the main one; else empty."""
        return self.column.partition("@")[2]

    def on(self, device: str) -> Metric:
        """This metric on another device: ``latency@phone``."""
        if not device:
            return self
        column, label = f"{self.column}@{device}", f"{self.label}, {device}"
        return replace(self, name=f"{self.name}@{device}", column=column, label=label)

    def text(self, value: float) -> str:
        """A value with its unit: ``76.41 %``, ``5.20 ms``, ``61.0M``."""
        shown = "-" if math.isnan(value) else self.show(value)
        return shown if self.scaled else f"{shown} {self.unit}".strip()

    def companion(self, what: str) -> str:
        """The name of an accompanying column: ``top1_std``, ``latency_low_ms``, ``latency_measured_ms@phone``."""
        stem, at, device = self.column.partition("@")
        ending = ending_of(stem)
        return f"{stem.removesuffix(ending)}_{what}{ending}{at}{device}"


def ending_of(stem: str) -> str:
    """The ending of a column's name that names its unit (``_ms``, ``_bytes``, ``_pct``); empty if there is none."""
    return next((f"_{unit}" for unit in UNITS if stem.endswith(f"_{unit}")), "")
