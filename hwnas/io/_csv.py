"""The strict CSV reader, and an atomic CSV writer."""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hwnas.errors import DataError, HwnasError
from hwnas.files import ends_in, replacing

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""Column separators of other programs."""

_LEADING_ZERO = re.compile(r"\s*[+-]?0\d")


def read_csv(path: str | os.PathLike[str], *, as_text: bool = False) -> pd.DataFrame:
    """A CSV (plain or gzip, by content) as a DataFrame.

    Columns of numbers become numeric unless that loses information (``021``, integers beyond 64 bits). Other columns stay text,
    in which an empty cell is an empty string.

    Args:
        path: the file.
        as_text: keep every cell as text, so that columns can be written unchanged.

    Raises:
        DataError: the file is missing, empty, truncated, ragged, not a CSV, or has no row of data.
    """
    text = _text(Path(path))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        _refuse_separators(text, path)
        raise DataError(f"file {path}", f"it is not a CSV ({error})", "pass a comma-separated table") from error
    rows = [row for row in rows if row]
    if not rows:
        raise DataError(f"file {path}", "it is empty", "pass a CSV with a header and rows")
    header = rows[0]
    if header[0].lstrip().startswith("{"):
        beside = Path(path).with_suffix(".csv")
        remedy = f"pass {beside}" if beside.is_file() else "pass a CSV"
        raise DataError(f"file {path}", "it is JSON, and a table is a CSV", remedy)
    if len(header) == 1:
        _refuse_separators(text, path)
    twice = [name for i, name in enumerate(header) if name in header[:i]]
    if twice:
        raise DataError(f"file {path}", f"column {twice[0]!r} occurs twice", "rename or remove one")
    for i, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            found = f"row {i} has {len(row)} fields, the header {len(header)}"
            raise DataError(f"file {path}", found, "is it cut short? restore the file")
    if len(rows) == 1:
        raise DataError(f"file {path}", "it holds a header and no rows", "pass a CSV with at least one row")
    columns = zip(*rows[1:], strict=True)
    typed = partial(pd.Series, dtype=object) if as_text else _typed
    return pd.DataFrame({name: typed(cells) for name, cells in zip(header, columns, strict=True)})


def _refuse_separators(text: str, path: str | os.PathLike[str]) -> None:
    """Raise if the first line has another separator than a comma."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    for separator, words in _SEPARATORS.items():
        if separator in first:
            remedy = "put commas between the columns, and points in the numbers"
            raise DataError(f"file {path}", f"{words} separate its columns, not commas", remedy)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        remedy = "check the path" if not path.exists() else "pass a readable file"
        raise DataError(f"file {path}", f"it cannot be read ({error.strerror or error})", remedy) from error
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"file {path}", "its gzip data is cut short or damaged", "restore the file") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"file {path}", "it is not text", "pass a CSV in UTF-8") from error
    if "\0" in text:
        raise DataError(f"file {path}", "it is binary, not a CSV", "pass a CSV in UTF-8")
    return text


def _typed(cells: tuple[str, ...]) -> pd.Series[Any]:
    text = pd.Series(cells, dtype=object)
    filled = [c for c in cells if c.strip()]
    if not filled or any(_LEADING_ZERO.match(c) for c in filled) or any("_" in c for c in filled):
        return text
    try:
        whole = [int(c) for c in filled]
    except ValueError:
        try:
            return pd.Series([float(c) if c.strip() else np.nan for c in cells], dtype=float)
        except ValueError:
            return text
    if not all(-(2**63) <= v < 2**63 for v in whole):
        return text
    if len(filled) == len(cells):
        return pd.Series(whole, dtype="int64")
    return pd.Series([int(c) if c.strip() else pd.NA for c in cells], dtype="Int64")


@contextmanager
def in_file(path: str | os.PathLike[str]) -> Iterator[None]:
    """Add a file's name to errors about its content that do not name it.

    Raises:
        DataError: instead of any HwnasError that does not name the file.
    """
    try:
        yield
    except HwnasError as error:
        if str(path) in error.value:
            raise
        raise DataError(f"file {path}, {error.value}", error.rule, error.remedy) from error


def write_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write ``frame`` without its index, atomically; gzipped if the name ends in ``.gz``. Same frame, same bytes.

    Raises:
        DataError: the path cannot be written.
    """
    content = frame.to_csv(index=False, lineterminator="\n").encode()
    with replacing(path) as part:
        part.write_bytes(gzip.compress(content, mtime=0) if ends_in(path, ".gz") else content)


def shown(cell: object) -> str:
    """A cell for messages: clipped, with text in quotes, or ``(empty)``."""
    if cell is None or cell is pd.NA or not str(cell).strip():
        return "(empty)"
    if isinstance(cell, float) and math.isnan(cell):
        return "(empty or nan)"
    text = repr(cell) if isinstance(cell, str) else str(cell)
    return text if len(text) <= 60 else text[:57] + "..."
