"""Reading the CSV of a board: it must be complete, belong to one plan and one device, and hold possible times."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwnas.errors import DataError
from hwnas.latency.boards._board import COLUMNS

AS_WRITTEN = "import the file as run.py wrote it"
ANEW = "delete journal.jsonl on the board and run run.py again"

Values = dict[tuple[int, str, str], dict[int, tuple[str, list[float]]]]
"""``(name, values)`` by block, network and kind, then by index."""


def read_raw_rows(path: Path) -> list[dict[str, str]]:
    """All rows, of one plan and one device; raises DataError if any are missing."""
    where = f"result {path}"
    try:
        csv.field_size_limit(max(csv.field_size_limit(), 1 << 24))
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(where, f"it cannot be read as CSV ({reason})", "import the file that run.py wrote") from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise DataError(where, f"its columns are not {','.join(COLUMNS)}", "import the file that run.py wrote")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(COLUMNS):
            rule = f"line {number} has {len(line)} of {len(COLUMNS)} values: it is cut short"
            raise DataError(where, rule, "copy it from the board again")
    rows = [dict(zip(COLUMNS, line, strict=True)) for line in lines[1:]]
    for column, what in (("plan", "plans"), ("device", "devices")):
        tags = list(dict.fromkeys(row[column] for row in rows))
        if len(tags) > 1:
            rule = f"it mixes rows of {len(tags)} {what} ({', '.join(tags[:3])})"
            raise DataError(where, rule, "import the result of one board, as run.py wrote it")
    ends = [row for row in rows if row["what"] == "end"]
    if len(ends) > 1:
        raise DataError(where, "it has two ends: files were joined", "import them one by one")
    if not rows or rows[-1]["what"] != "end":
        raise DataError(where, "it is cut short: its last row is missing", "copy it from the board again")
    if len(rows) == 1:
        raise DataError(where, "it holds no times", "copy it from the board again")
    found, stated = len(rows) - 1, ends[0]["values"]
    if stated != str(found):
        relation = "missing" if not stated.isdecimal() or int(stated) > found else "too many"
        rule = f"it holds {found} rows of {stated[:20]}: rows are {relation}"
        raise DataError(where, rule, AS_WRITTEN)
    return rows[:-1]


def read_header(path: Path, rows: Sequence[Mapping[str, str]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The plan and the description of the device, each checked against its digest in the rows."""
    text = "".join(row["values"] for row in rows if row["what"] == "plan")
    described = "".join(row["values"] for row in rows if row["what"] == "device")
    for what, content in (("plan", text), ("device", described)):
        if hashlib.sha256(content.encode()).hexdigest()[:16] != rows[0][what]:
            rule = f"its rows belong to another {what} than the one it describes"
            raise DataError(f"result {path}", rule, AS_WRITTEN)
    return json.loads(text), json.loads(described)


def read_values(path: Path, rows: Sequence[Mapping[str, str]]) -> Values:
    """Numbers of all rows, checked to be finite and not negative, with no row twice."""
    found: Values = defaultdict(dict)
    for number, row in enumerate(rows, start=2):
        if row["what"] in ("plan", "device"):
            continue
        where = f"result {path}, line {number}"
        try:
            key, index = (int(row["block"]), row["network"], row["what"]), int(row["index"])
            numbers = [float(text) for text in row["values"].split()]
        except ValueError as error:
            raise DataError(where, f"it is no number ({error})", ANEW) from error
        bad = [value for value in numbers if not math.isfinite(value) or value < 0]
        if bad or not numbers:
            rule = f"{row['what']} is {bad[0]}, which cannot be a time" if bad else "it has no values"
            raise DataError(where, rule, ANEW)
        if index in found[key]:
            rule = f"{row['what']} of network {row['network']} in block {row['block']} is there twice"
            raise DataError(where, rule, AS_WRITTEN)
        found[key][index] = (row["name"], numbers)
    return dict(found)
