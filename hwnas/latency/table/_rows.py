"""Rows of a latency table, and the CSV they are kept in."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from hwnas.errors import TableError
from hwnas.graph import PRECISIONS
from hwnas.space import LayerSpec


@dataclass(frozen=True)
class Row:
    """Latency of one layer in one precision.

    Attributes:
        key: the layer's.
        median_ms: what predictions add up; of first and last layers it may be negative, where networks take less than
            their layers together.
        p10_ms, p90_ms: spread over runs and surroundings.
        runs: timed runs behind it.
        macs: multiply-accumulates of one image.
        context: empty, or the setting it is bound to (``r=224``); `MIXED` or `CONVERTED` in a network of several precisions.
        precision: one of `hwnas.graph.PRECISIONS`: what the layer computed in.
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
        """The row of a layer as it was timed; where it has no precision of its own, the table says which it was."""
        own = {} if layer.precision is None else {"precision": layer.precision}
        return cls(layer.bare_key, median_ms, p10_ms, p90_ms, runs, layer.macs, context_of(layer), **own)

    @property
    def is_mixed(self) -> bool:
        """Whether it is of a network of several precisions."""
        return self.context in (MIXED, CONVERTED)

    @property
    def id(self) -> RowId:
        """What there is one row of."""
        return self.precision, self.key, self.context


MIXED, CONVERTED = "mixed", "converted"
"""The contexts of layers that were timed among others of another precision: they may take longer there, and longer still where
their input lies as a conversion left it."""


def context_of(layer: LayerSpec) -> str:
    """The context of the row of a layer as it stands in a network."""
    if layer.precision is None:
        return ""
    return CONVERTED if layer.converted else MIXED


RowId = tuple[str, str, str]
"""Precision, layer key and context of a row."""

_COLUMNS = tuple(f.name for f in fields(Row))
_TIMES = ("median_ms", "p10_ms", "p90_ms")
_COUNTS = ("runs", "macs")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """The rows as CSV, in their order."""
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
        precision: of all rows, where they have no column for it (schema 1).

    Raises:
        TableError: not such a CSV, a value that cannot be a latency, or a row that is there twice.
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
        told = f"p10_ms = {times['p10_ms']:g}, median_ms = {times['median_ms']:g}, p90_ms = {times['p90_ms']:g}"
        raise TableError(f"{where}, {told}", "they are not in order", "measure that row again")
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
