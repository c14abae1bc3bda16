"""Rows of a latency table, and the CSV they are kept in."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from hwnas.errors import TableError


@dataclass(frozen=True)
class Row:
    """Latency of one layer.

    Attributes:
        key: the layer's.
        median_ms: what predictions add up.
        p10_ms, p90_ms: spread over runs and surroundings.
        runs: timed runs behind it.
        macs: multiply-accumulates of one image.
        context: empty, or the setting it is bound to (``r=224``).
    """

    key: str
    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int
    macs: int
    context: str = ""


_COLUMNS = tuple(f.name for f in fields(Row))
_TIMES = ("median_ms", "p10_ms", "p90_ms")
_COUNTS = ("runs", "macs")


def write_rows(path: Path, rows: Mapping[tuple[str, str], Row]) -> None:
    """The rows as CSV, in their order."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in rows.values():
            times = [f"{getattr(row, name):.12g}" for name in _TIMES]
            writer.writerow([row.key, *times, row.runs, row.macs, row.context])


def read_rows(path: Path) -> dict[tuple[str, str], Row]:
    """Rows by key and context.

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
    if not lines or tuple(lines[0]) != _COLUMNS:
        found = ",".join(lines[0])[:80] if lines else "nothing"
        rule = f"its columns are {','.join(_COLUMNS)}, not {found}"
        raise TableError(f"{path}", rule, "profile again: hwnas profile")
    rows: dict[tuple[str, str], Row] = {}
    for number, values in enumerate(lines[1:], start=2):
        row = _parsed(f"{path}, line {number}", values)
        if (row.key, row.context) in rows:
            where = f" at {row.context}" if row.context else ""
            rule = f"{row.key}{where} is there twice"
            raise TableError(f"{path}, line {number}", rule, "delete one of the two, or profile again")
        rows[row.key, row.context] = row
    return rows


def _parsed(where: str, values: list[str]) -> Row:
    if len(values) != len(_COLUMNS):
        raise TableError(where, f"it has {len(values)} of {len(_COLUMNS)} values", "profile again: hwnas profile")
    texts = dict(zip(_COLUMNS, values, strict=True))
    times = {name: _number(where, name, texts[name]) for name in _TIMES}
    counts = {name: _number(where, name, texts[name], whole=True) for name in _COUNTS}
    if not texts["key"]:
        raise TableError(where, "its key is empty", "profile again: hwnas profile")
    return Row(
        texts["key"], times["median_ms"], times["p10_ms"], times["p90_ms"],
        int(counts["runs"]), int(counts["macs"]), texts["context"],
    )  # fmt: skip


def _number(where: str, name: str, text: str, *, whole: bool = False) -> float:
    try:
        value = float(int(text)) if whole else float(text)
    except (ValueError, OverflowError):
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        kind = "a count" if whole else "a latency"
        raise TableError(f"{where}, {name} = {text[:40]!r}", f"it cannot be {kind}", "measure that row again")
    return value
