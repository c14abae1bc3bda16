"""What the columns of our tables mean: label, unit, direction, how a value reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hwnas.quantity import format_bytes


@dataclass(frozen=True)
class Column:
    """A metric as people read it.

    Attributes:
        name: column of the CSV, unit included (``"latency_ms"``).
        label: title of an axis or table column.
        unit: shown after the label; empty where values carry their own.
        maximise: whether larger is better.
    """

    name: str
    label: str
    unit: str = ""
    maximise: bool = False

    @property
    def title(self) -> str:
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def show(self, value: float) -> str:
        """The value as a table prints it."""
        if math.isnan(value):  # not known for this row
            return "-"
        stem = self.name.partition("@")[0]
        if stem in ("macs", "params"):
            return _three_digits(value)
        if stem.endswith("_bytes"):
            return format_bytes(float(f"{value:.3g}"))
        if stem in ("top1", "top1_std") or (stem.endswith("_ms") and abs(value) >= 1):
            return f"{value:.2f}"
        return f"{value:.3g}"


def _three_digits(count: float) -> str:
    """``6.10M``, ``61.0M``, ``610M``: equally precise all down a column."""
    count = float(f"{count:.3g}")
    exponent = min((len(f"{count:.0f}") - 1) // 3, 4)
    return f"{count / 1000**exponent:#.3g}".rstrip(".") + ("", "k", "M", "G", "T")[exponent]


_KNOWN = {
    column.name: column
    for column in (
        Column("top1", "Top-1", "%", maximise=True),
        Column("top1_std", "±"),
        Column("latency_ms", "Latency", "ms"),
        Column("latency_measured_ms", "Measured", "ms"),
        Column("latency_p95_ms", "p95", "ms"),
        Column("latency_error_pct", "Error", "%"),
        Column("within_budget", "Holds"),
        Column("images_per_s", "Throughput", "images/s", maximise=True),
        Column("macs", "MACs"),
        Column("params", "Params"),
        Column("memory_bytes", "Memory"),
        Column("score", "Score", maximise=True),
    )
}


def column(name: str) -> Column:
    """The known column, on a device if it says ``@device``; or one that is titled by its name, to be minimised."""
    stem, _, device = name.partition("@")
    known = _KNOWN.get(stem)
    if known is None:
        return Column(name, name.replace("_", " "))
    return replace(known, name=name, label=f"{known.label}, {device}") if device else known


def is_known(name: str) -> bool:
    return name.partition("@")[0] in _KNOWN


def maximised(name: str) -> bool:
    """Whether a larger value is better: of accuracy, throughput and scores; everything else is a cost."""
    return column(name).maximise
