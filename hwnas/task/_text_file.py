"""Labelled texts from a table: CSV, TSV or JSON lines, plain or gzip."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwnas.errors import DataError
from hwnas.files import ends_in

ENDINGS = (".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz")
"""Endings of the files that can be read."""

_SEPARATORS = {",": "commas", "\t": "tabs (as of a .tsv file)", ";": "semicolons"}

_LONGEST_FIELD = 2**24
"""Characters per cell; Python's own limit, 128 k, is shorter than a long document."""


@dataclass(frozen=True)
class TextColumns:
    """Names of the columns. A file may lack the column ``pair``, but not the others."""

    text: str = "text"
    pair: str = "text_pair"
    label: str = "label"


@dataclass(frozen=True)
class LabelledTexts:
    """Rows of one split.

    Attributes:
        path: the file.
        texts: ``(n,)`` texts.
        pairs: ``(n,)`` second sentences; None if the file has no column of them.
        labels: ``(n,)`` labels as written: words, or numbers as text.
        n_empty: number of rows left out because text or label is empty.
        unread: names of other columns that hold several words, so they may be second texts.
    """

    path: Path
    texts: tuple[str, ...]
    pairs: tuple[str, ...] | None
    labels: tuple[str, ...]
    n_empty: int
    unread: tuple[str, ...]


def read_labelled_texts(path: str | os.PathLike[str], columns: TextColumns) -> LabelledTexts:
    """Texts and labels of a file.

    Args:
        path: ends in one of ``ENDINGS``.
        columns: names of the columns.

    Raises:
        DataError: the file is unreadable, of an unknown format or ragged, or lacks a column or labelled texts.
    """
    path = Path(path)
    kind = next((ending.split(".")[1] for ending in ENDINGS if ends_in(path, ending)), None)
    if kind is None:
        raise DataError(
            f"file {path}", "its ending is not of a known format", f"name it {', '.join(ENDINGS[:3])} (or .gz)"
        )
    content = _content(path)
    rows = _json_rows(path, content) if kind == "jsonl" else _table_rows(path, content, "\t" if kind == "tsv" else ",")
    if not rows:
        raise DataError(f"file {path}", "it holds no rows", "give texts with labels")
    header = list(dict.fromkeys(name for row in rows for name in row))
    named = {"--text-column": columns.text, "--label-column": columns.label}
    if columns.pair != TextColumns.pair:  # the default column may be absent, one that the user named may not
        named["--pair-column"] = columns.pair
    if len(set(named.values())) < len(named):
        pairs = " ".join(f"{option} {name}" for option, name in named.items())
        raise DataError(pairs, "one column cannot serve as two", "name another one")
    missing = {option: name for option, name in named.items() if name not in header}
    if missing:
        found = f"it has no column {' and none '.join(map(repr, missing.values()))}"
        remedy = f"name {'them' if len(missing) > 1 else 'the column'} with {' and '.join(missing)}"
        raise DataError(f"file {path}", f"{found} (it has {', '.join(map(repr, header[:8]))})", remedy)
    kept = [row for row in rows if row.get(columns.text, "").strip() and row.get(columns.label, "").strip()]
    if not kept:
        raise DataError(f"file {path}", "no row has both a text and a label", "fill them")
    return LabelledTexts(
        path,
        tuple(row[columns.text] for row in kept),
        tuple(row.get(columns.pair, "") for row in kept) if columns.pair in header else None,
        tuple(row[columns.label].strip() for row in kept),
        len(rows) - len(kept),
        tuple(name for name in header if name not in vars(columns).values() and _holds_texts(kept, name)),
    )


def _holds_texts(rows: Sequence[Mapping[str, str]], name: str) -> bool:
    """Whether most cells of a column have several words."""
    return 2 * sum(len(row.get(name, "").split()) > 1 for row in rows) > len(rows)


def _content(path: Path) -> str:
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        remedy = "convert it, from Latin-1 with `iconv -f latin1 -t utf-8`"
        raise DataError(f"file {path}", "it is not text in UTF-8", remedy) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"file {path}", "its gzip data is cut short or damaged", "restore the file") from error
    except OSError as error:
        raise DataError(f"file {path}", f"it cannot be read ({error.strerror or error})", "check the path") from error


def _table_rows(path: Path, content: str, separator: str) -> list[dict[str, str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    try:
        lines = [line for line in reader if line]
    except csv.Error as error:  # an unclosed quote, say, which would merge all rows up to the next quote into one text
        rule = f"line {reader.line_num} is no row of a table ({error})"
        remedy = "put texts that begin with a quote into quotes, and double those within, or write JSON lines"
        raise DataError(f"file {path}", rule, remedy) from error
    if not lines:
        raise DataError(f"file {path}", "it is empty", "pass a header and rows")
    header = lines[0]
    other = next((word for mark, word in _SEPARATORS.items() if len(header) == 1 and mark in header[0]), None)
    if other is not None:
        raise DataError(f"file {path}", f"{other} separate its columns", f"put {_SEPARATORS[separator]} in their place")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"file {path}", f"two columns are named {twice!r}", "rename one")
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(header):
            rule = f"row {number} has {len(line)} fields, the header {len(header)}"
            raise DataError(f"file {path}", rule, "quote texts that hold the separator")
    return [dict(zip(header, line, strict=True)) for line in lines[1:]]


def _json_rows(path: Path, content: str) -> list[dict[str, str]]:
    rows = []
    for number, line in enumerate(
        content.split("\n"), start=1
    ):  # splitlines would also split at a U+2028 within a text
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=lambda _: None)  # NaN is a missing value
        except ValueError as error:
            raise DataError(f"file {path}, line {number}", f"it is no JSON ({error})", "correct it") from error
        if not isinstance(row, dict):
            raise DataError(f"file {path}, line {number}", "it is no JSON object", "write one object per line")
        nested = next((name for name, value in row.items() if isinstance(value, list | dict)), None)
        if nested is not None:
            raise DataError(f"file {path}, line {number}", f"{nested!r} is neither text nor number", "flatten it")
        rows.append({str(name): "" if value is None else str(value) for name, value in row.items()})
    return rows
