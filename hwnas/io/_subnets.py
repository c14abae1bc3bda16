"""CSVs of subnets: reading archs and measured metrics, writing whole files or none.

An arch stands either in one column ``arch`` (JSON; DyNAS-T's ``Sub-network``, a Python literal, is read
too) or in one column per arch key, as upstream tables write them: ``ks, e, d, r`` with values joined by
dashes (``5-7-0-0``; 0 marks a skipped layer) or as a string of digits (``5700``).
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.errors import DataError, SpaceError
from hwnas.files import replacing
from hwnas.metric import check_values, registered
from hwnas.space import Population, SearchSpace

_LEADING_ZERO = re.compile(r"\s*[+-]?0\d")


def read_csv(path: str | os.PathLike[str], *, as_text: bool = False) -> pd.DataFrame:
    """A CSV (plain or gzip, by content) as a DataFrame.

    Columns of numbers become numeric unless that would lose something (``021``, integers beyond 64
    bits); others stay text, and an empty text cell is an empty string.

    Args:
        path: the file.
        as_text: leave every cell as it is written, to pass columns on unchanged.

    Raises:
        DataError: missing, empty, truncated, not a CSV, ragged, or without a row of data.
    """
    text = _text(Path(path))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise DataError(f"file {path}", f"it is not a CSV ({error})", "pass a comma-separated table") from error
    rows = [row for row in rows if row]
    if not rows:
        raise DataError(f"file {path}", "it is empty", "pass a CSV with a header and rows")
    header = rows[0]
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
    typed = _as_text if as_text else _typed
    return pd.DataFrame({name: typed(cells) for name, cells in zip(header, columns, strict=True)})


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


def _as_text(cells: tuple[str, ...]) -> pd.Series[Any]:
    return pd.Series(cells, dtype=object)


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


def write_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write ``frame`` without its index, atomically; gzipped if the name ends in ``.gz``. Same frame, same bytes.

    Raises:
        DataError: the path cannot be written.
    """
    content = frame.to_csv(index=False, lineterminator="\n").encode()
    with replacing(path) as part:
        part.write_bytes(gzip.compress(content, mtime=0) if Path(path).suffix == ".gz" else content)


def arch_column(x: NDArray[Any], space: SearchSpace) -> list[str]:
    """The ``arch`` column of a population: one JSON text per row."""
    return [json.dumps(arch) for arch in space.decode_many(x)]


def read_archs(frame: pd.DataFrame, space: SearchSpace) -> Population:
    """Canonical ``(n, g)`` rows of the subnets of a table.

    Args:
        frame: with a column ``arch`` (JSON), DyNAS-T's ``Sub-network``, or one column per arch key. Keys
            that the space fixes to one choice may be missing.
        space: where the archs belong. A resolution may be called ``image_size``, as OFA does.

    Raises:
        DataError: no such columns, or a row whose arch is unreadable or not of the space; rows count from 1.
    """
    archs: Sequence[Mapping[str, Any]]
    if "arch" in frame.columns:
        archs = _parsed(frame["arch"], json.loads, 'JSON like {"ks": [...], ...}')
    elif "Sub-network" in frame.columns:
        archs = _parsed(frame["Sub-network"], ast.literal_eval, "a Python dict")
    else:
        archs = _from_columns(frame, space)
    archs = [_renamed(arch, space) for arch in archs]
    try:
        return space.encode_many(archs)
    except SpaceError:
        for i, arch in enumerate(archs):
            try:
                space.encode(arch)
            except SpaceError as error:
                raise DataError(f"row {i + 1}, {error.value}", error.rule, error.remedy) from error
        raise


def _parsed(column: pd.Series[Any], parse: Callable[[str], Any], form: str) -> list[Mapping[str, Any]]:
    archs: list[Mapping[str, Any]] = []
    for i, cell in enumerate(column):
        try:
            arch = parse(str(cell))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            arch = None
        if not isinstance(arch, dict):
            raise DataError(f"row {i + 1}, arch {_short(cell)}", f"an arch is {form}", "correct the cell")
        archs.append(arch)
    return archs


def _from_columns(frame: pd.DataFrame, space: SearchSpace) -> list[dict[str, Any]]:
    named = {g: "image_size" if g == "r" and "r" not in frame.columns else g for g in space.groups}
    present = [g for g, name in named.items() if name in frame.columns]
    if not present:
        raise DataError(
            f"columns {', '.join(map(str, frame.columns[:8]))}",
            f"archs of {space.name} stand in a column 'arch' (JSON) or in columns {', '.join(space.groups)}",
            "add them",
        )
    archs: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    for group in present:
        columns = space.groups[group]
        single = space.genes[columns[0]].position is None
        for i, cell in enumerate(frame[named[group]]):
            values = [_value(str(cell))] if single else _values(str(cell), len(columns))
            if len(values) != len(columns):
                rule = f"{space.name} needs {len(columns)} values, joined by dashes or as digits"
                raise DataError(f"row {i + 1}, {group} {_short(cell)}", rule, "correct the cell")
            archs[i][group] = values[0] if single else values
    return archs


def _values(cell: str, n: int) -> list[int | float | str]:
    cell = cell.strip().strip("[]()")
    if len(cell) == n and cell.isascii() and cell.isdigit():
        return [int(c) for c in cell]
    return [_value(token) for token in re.split(r"\s*[-,;\s]\s*", cell)]


def _value(token: str) -> int | float | str:
    token = token.strip().strip("[]()")
    try:
        return int(token)
    except ValueError:
        pass
    try:
        return float(token)
    except ValueError:
        return token


def _renamed(arch: Mapping[str, Any], space: SearchSpace) -> Mapping[str, Any]:
    if "image_size" in arch and "r" in space.groups and "r" not in arch:
        return {"r" if key == "image_size" else key: value for key, value in arch.items()}
    return arch


def _short(cell: object) -> str:
    text = repr(cell)
    return text if len(text) <= 60 else text[:57] + "..."


def metric_column(frame: pd.DataFrame, metric: str) -> str:
    """Name of the column that holds ``metric``, whatever upstream calls it (``Top-1 Acc (%)`` is ``top1``).

    Raises:
        DataError: there is none; lists the numeric columns.
    """
    if metric in frame.columns:
        return metric
    known = registered(metric)
    aliases = [known.column, known.name, *known.aliases] if known is not None else []
    plain = {_plain(str(c)): str(c) for c in reversed(frame.columns)}
    for alias in aliases:
        if _plain(alias) in plain:
            return plain[_plain(alias)]
    numeric = [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]
    raise DataError(f"metric {metric!r}", "no such column", f"choose from {', '.join(numeric) or 'none'}")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def read_metric(frame: pd.DataFrame, metric: str) -> NDArray[np.float64]:
    """``(n,)`` values of a metric.

    Raises:
        DataError: no such column, a cell that is no finite number, or a value that the metric cannot have; rows count from 1.
    """
    name = metric_column(frame, metric)
    values = np.asarray(pd.to_numeric(frame[name], errors="coerce"), dtype=np.float64)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(f"row {row + 1}, {name} {_short(frame[name].iloc[row])}", "a number is needed", "correct it")
    known = registered(metric)
    if known is not None:
        check_values(known, values, name)
    return values
