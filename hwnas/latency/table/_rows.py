"""Rows of a latency table, and their CSV file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from hwnas.errors import TableError
from hwnas.graph import PRECISIONS
from hwnas.space import LayerSpec


@dataclass(frozen=True)
class Row:
    """Latency of one layer in one precision.

    Attributes:
        key: of the layer.
        median_ms: the value that predictions add up. Negative for first and last layers if networks take less time than the
            sum of their layers.
        p10_ms, p90_ms: percentiles over runs and neighbouring layers.
        runs: number of timed runs.
        macs: multiply-accumulates of one image.
        context: empty, or the gene value that the row is bound to (``r=224``), or `MIXED` or `CONVERTED` if the layer was timed
            in a network of several precisions.
        precision: of the layer; one of `hwnas.graph.PRECISIONS`.
    """

    key: str
    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int
    macs: int
    context: str = ""
    precision: str = "fp32"

    @classmethod
    def of(cls, layer: LayerSpec, median_ms: float, p10_ms: float, p90_ms: float, runs: int) -> Row:
        """The row of a timed layer; if the layer has no precision of its own, the table sets the row's precision."""
        own = {} if layer.precision is None else {"precision": layer.precision}
        return cls(layer.bare_key, median_ms, p10_ms, p90_ms, runs, layer.macs, context_of(layer), **own)

    def scaled(self, factor: float) -> Row:
        """The row with its times multiplied by a factor, which may be negative: see `hwnas.latency.table._adapt`."""
        low, high = sorted((self.p10_ms * factor, self.p90_ms * factor))
        return replace(self, median_ms=self.median_ms * factor, p10_ms=low, p90_ms=high)

    @property
    def is_mixed(self) -> bool:
        """Whether the layer was timed in a network of several precisions."""
        return self.context in (MIXED, CONVERTED)

    @property
    def id(self) -> RowId:
        """Precision, key and context, which identify the row."""
        return self.precision, self.key, self.context


MIXED, CONVERTED = "mixed", "converted"
"""Contexts of layers that were timed beside layers of other precisions. They may take longer there, and even longer if a
conversion wrote their input."""


def context_of(layer: LayerSpec) -> str:
    """The context of a layer's row."""
    if layer.precision is None:
        return ""
    return CONVERTED if layer.converted else MIXED


RowId = tuple[str, str, str]
"""Precision, layer key and context of a row."""

_COLUMNS = tuple(f.name for f in fields(Row))
_TIMES = ("median_ms", "p10_ms", "p90_ms")
_COUNTS = ("runs", "macs")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows as CSV, in their order."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in rows:
            times = [f"{getattr(row, name):.12g}" for name in _TIMES]
            writer.writerow([row.key, *times, row.runs, row.macs, row.context, row.precision])


def read_rows(path: Path, precision: str | None = None) -> dict[RowId, Row]:
    """Rows by precision, key and context.

    Args:
        path: of the CSV.
        precision: of all rows, if the CSV has no column for it (schema 1).

    Raises:
        TableError: the file is no such CSV, holds a value that cannot be a latency, or has a row twice.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file, strict=True))
    except FileNotFoundError:
        raise TableError(f"{path.parent}", f"it has no {path.name}", "name the folder of a latency table") from None
    except (OSError, ValueError, csv.Error) as error:
        raise TableError(f"{path}", f"it cannot be read as CSV ({error})", "profile again: hwnas profile") from error
    columns = _COLUMNS if precision is None else _COLUMNS[:-1]
    if not lines or tuple(lines[0]) != columns:
        found = ",".join(lines[0])[:80] if lines else "nothing"
        rule = f"its columns are {','.join(columns)}, not {found}"
        raise TableError(f"{path}", rule, "profile again: hwnas profile")
    rows: dict[RowId, Row] = {}
    for number, values in enumerate(lines[1:], start=2):
        where = f"{path}, line {number}"
        if len(values) != len(columns):
            raise TableError(where, f"it has {len(values)} of {len(columns)} values", "profile again: hwnas profile")
        row = _parsed(where, values if precision is None else [*values, precision])
        if row.id in rows:
            bound = f" at {row.context}" if row.context else ""
            rule = f"{row.key}{bound} is there twice in {row.precision}"
            raise TableError(where, rule, "delete one of the two, or profile again")
        rows[row.id] = row
    return rows


def _parsed(where: str, values: list[str]) -> Row:
    texts = dict(zip(_COLUMNS, values, strict=True))
    times = {name: _number(where, name, texts[name]) for name in _TIMES}
    counts = {name: _number(where, name, texts[name], whole=True) for name in _COUNTS}
    if not times["p10_ms"] <= times["median_ms"] <= times["p90_ms"]:
        found = ", ".join(f"{name} = {times[name]:g}" for name in ("p10_ms", "median_ms", "p90_ms"))
        raise TableError(f"{where}, {found}", "they are not in order", "measure that row again")
    if not texts["key"]:
        raise TableError(where, "its key is empty", "profile again: hwnas profile")
    if texts["precision"] not in PRECISIONS:
        rule = f"its precision is {texts['precision'][:40]!r}, not {', '.join(PRECISIONS)}"
        raise TableError(where, rule, "profile again: hwnas profile")
    return Row(
        texts["key"], times["median_ms"], times["p10_ms"], times["p90_ms"],
        int(counts["runs"]), int(counts["macs"]), texts["context"], texts["precision"],
    )  # fmt: skip


def _number(where: str, name: str, text: str, *, whole: bool = False) -> float:
    try:
        value = float(int(text)) if whole else float(text)
    except (ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value) or (whole and value < 0):
        kind = "a count" if whole else "a latency"
        raise TableError(f"{where}, {name} = {text[:40]!r}", f"it cannot be {kind}", "measure that row again")
    return value
