"""The noun: a number that can be told of a subnet."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.quantity import checked_name, parse_number

Direction = Literal["max", "min"]
Source = Literal["weights", "untrained", "device", "layers", "file", "metrics"]
"""Where values come from: a predictor or an evaluation of the weights, the network before its training (a score, no
accuracy), a latency table, the layers, a file of the user's, or other metrics."""

DIRECTIONS: tuple[Direction, ...] = ("max", "min")

UNITS = {"ms": "ms", "bytes": "B", "pct": "%"}
"""Units by what the name of a column ends in where it tells its unit."""


@dataclass(frozen=True)
class Metric:
    """A number that can be told of a subnet.

    Attributes:
        name: as people type it (``"latency"``).
        column: of tables and files, its unit included (``"latency_ms"``).
        direction: ``"max"`` where more is better, ``"min"`` where less is.
        unit: of the column's values (``"ms"``); empty for a plain number.
        label: title of an axis or of a table's column.
        source: where its values come from; see ``Source``.
        aliases: what others call the column, in lower case without punctuation.
        lowest, highest: values that are possible at all.
        parse: ``(text, option)`` to a value in ``unit``; raises QuantityError.
        show: a value as a table prints it, without ``unit``.
        scaled: whether ``show`` writes a unit or factor of its own (``61.0M``, ``4.1 MB``).
        count: of a metric of layers: ``(space, images per run)`` to a function of ``(n, g)`` rows; None where
            `hwnas.space` computes it.
        of, derive: of a metric of other metrics: their columns, and their ``(n,)`` values in this order to its own.
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
        """Label and unit, as an axis or a column is headed."""
        return f"{self.label} ({self.unit})" if self.unit and not self.scaled else self.label

    @property
    def device(self) -> str:
        """The device it is told for, where that is not the main one."""
        return self.column.partition("@")[2]

    def on(self, device: str) -> Metric:
        """This metric on another device: ``latency@phone``."""
        if not device:
            return self
        column, label = f"{self.column}@{device}", f"{self.label}, {device}"
        return replace(self, name=f"{self.name}@{device}", column=column, label=label)

    def text(self, value: float) -> str:
        """A value with its unit, short: ``76.41 %``, ``5.20 ms``, ``61.0M``."""
        shown = "-" if math.isnan(value) else self.show(value)
        return shown if self.scaled else f"{shown} {self.unit}".strip()

    def companion(self, what: str) -> str:
        """The column of something told beside it: ``top1_std``, ``latency_low_ms``, ``latency_measured_ms@phone``."""
        stem, at, device = self.column.partition("@")
        ending = ending_of(stem)
        return f"{stem.removesuffix(ending)}_{what}{ending}{at}{device}"


def ending_of(stem: str) -> str:
    """What the name of a column tells its unit by: ``_ms``, ``_bytes``, ``_pct``; empty if it does not."""
    return next((f"_{unit}" for unit in UNITS if stem.endswith(f"_{unit}")), "")
