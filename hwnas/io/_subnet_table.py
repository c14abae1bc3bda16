"""Reading tables with metrics of every subnet of a space, or of every layer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from hwnas.errors import DataError
from hwnas.io._archs import COLUMNS as ARCH_COLUMNS
from hwnas.io._archs import read_archs
from hwnas.io._csv import in_file, read_csv
from hwnas.io._metrics import read_metric
from hwnas.space import Population, SearchSpace

Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class SubnetTable:
    """Metrics of every subnet of a space.

    Attributes:
        x: ``(n, g)`` rows, each subnet once.
        columns: ``(n,)`` values by name.
        gaps: columns that are no metric, with the reason: text, a missing value, or two values for one subnet.
    """

    x: Population
    columns: Columns
    gaps: Mapping[str, DataError]

    def refuse_gaps(self, names: Iterable[str] | None) -> None:
        """Raise if one of the requested columns has gaps.

        Args:
            names: of columns; None for all columns except text.

        Raises:
            DataError: names the row and the column.
        """
        for name, error in self.gaps.items():
            if name in names if names is not None else error.rule != _TEXT:
                raise error


_TEXT = "it holds text, not numbers"


def read_subnet_table(
    paths: Sequence[str | os.PathLike[str]], space: SearchSpace, renamed: Mapping[str, str]
) -> SubnetTable:
    """Every subnet of ``space`` and every column of numbers, from one CSV or several that share a key column.

    Args:
        paths: the first file has the archs; the others are joined to it by the columns that both have.
        space: every subnet of its domain must have a row; other subnets of the space may have one.
        renamed: new names of columns, by their names in the files.

    Raises:
        DataError: a file does not fit, or a subnet of the domain has no row.
    """
    frame = read_csv(paths[0])
    with in_file(paths[0]):
        x = read_archs(frame, space.whole)
    _refuse_missing(paths[0], x, space)
    for path in paths[1:]:
        frame = _joined(frame, read_csv(path), str(path))
    for source, name in renamed.items():
        if source not in frame.columns:
            raise DataError(f"column {source!r}", f"{_listed(paths)} has no such column", _choose(frame))
        if name != source and name in frame.columns:
            rule = f"{_listed(paths)} has a column of that name"
            raise DataError(f"{name}={source}", rule, "choose another name, or drop the column")
    frame = frame.rename(columns=dict(renamed))
    used = {*ARCH_COLUMNS, "image_size", *space.groups}
    columns, gaps = {}, {}
    for name in (str(c) for c in frame.columns if c not in used):
        try:
            columns[name] = read_metric(frame, name)
        except DataError as error:
            numbers = pd.to_numeric(frame[name], errors="coerce").notna().mean()
            rule = error.rule if numbers >= 0.5 else _TEXT
            gaps[name] = DataError(f"file {_listed(paths)}, {error.value}", rule, error.remedy)
    first, of_row = _first_rows(x)
    for name, values in list(columns.items()):
        other = values != values[first][of_row]
        if other.any():
            at = int(other.argmax())
            before = int(first[of_row[at]])
            value = f"file {_listed(paths)}, {name} of rows {before + 1} and {at + 1}"
            rule = f"they are one subnet with two values, {values[before]:.8g} and {values[at]:.8g}"
            gaps[name] = DataError(value, rule, "keep one of the rows, or their mean")
            del columns[name]
    return SubnetTable(x[first], {name: values[first] for name, values in columns.items()}, gaps)


def _first_rows(x: Population) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index of the first occurrence of each distinct row, in order; and for every row, the position of its own in that list."""
    _, first, of_row = np.unique(x, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[of_row.reshape(-1)]


def _refuse_missing(path: str | os.PathLike[str], x: Population, space: SearchSpace) -> None:
    """Refuse a table of part of the space; if it covers a restriction of the space, name that as the remedy."""
    present = len(np.unique(x[space.contains(x)], axis=0))
    if present == space.size():
        return
    found = f"it holds {present:,} of the {space.size():,} subnets of {space.name}"
    part, words = _spanned(x, space)
    whole = part is not None and len(np.unique(x[part.contains(x)], axis=0)) == part.size()
    remedy = f"complete it, or keep to what it holds: {words}" if whole and words else "complete it"
    raise DataError(f"file {path}", found, remedy)


def _spanned(x: Population, space: SearchSpace) -> tuple[SearchSpace | None, str]:
    """The part of the space whose choices occur in rows, and the options that restrict the space to it."""
    active, part, words = space.active(x), space, []
    for group, columns in space.groups.items():
        occurring = [
            {space.genes[c].choices[i] for i in np.unique(x[active[:, c], c]).tolist()} or set(space.genes[c].choices)
            for c in columns
        ]
        for column, values in zip(columns, occurring, strict=True):
            known = {space.genes[column].choices[i] for i in space.domain[column].tolist()}
            kept = [v for v in space.genes[column].choices if v in values & known]
            if not kept:
                return None, ""
            if len(kept) < len(known):
                name = group if len(columns) == 1 else space.genes[column].name
                part = part.restrict(**{name: kept})
                words.append(f"--fix '{name}={','.join(map(str, kept))}'")
    return part, " ".join(words)


def read_layer_costs(path: str | os.PathLike[str]) -> tuple[list[str], Columns]:
    """Keys of layers, as in latency tables, and every other column.

    Raises:
        DataError: there is no column ``key``, a key occurs twice, or a cell is no finite number.
    """
    frame = read_csv(path)
    names = [str(c) for c in frame.columns if c not in ("key", "context")]
    if "key" not in frame.columns or not names:
        rule = "costs of layers stand in a column `key` and one per metric"
        raise DataError(f"file {path}", rule, "take the keys from a latency table's table.csv")
    twice = frame["key"].duplicated()
    if twice.any():
        raise DataError(f"file {path}, key {frame['key'][int(twice.argmax())]}", "it is there twice", "keep one row")
    with in_file(path):
        return frame["key"].astype(str).tolist(), {name: read_metric(frame, name) for name in names}


def _joined(frame: pd.DataFrame, more: pd.DataFrame, path: str) -> pd.DataFrame:
    shared = [c for c in frame.columns if c in more.columns]
    if not shared:
        raise DataError(f"file {path}", "it shares no column with the first table", "add the key that joins them")
    mixed = [c for c in shared if is_numeric_dtype(frame[c]) != is_numeric_dtype(more[c])]
    if mixed:
        rule = f"its column {mixed[0]} and that of the first table are not both numbers, or both text"
        raise DataError(f"file {path}", rule, "write the key in the same way in both")
    keys = more[shared]
    if keys.duplicated().any():
        raise DataError(f"file {path}, {', '.join(shared)}", "rows occur twice", "keep one of each")
    joined = frame.merge(more, on=shared, how="left", indicator=True)
    lacking = joined["_merge"] != "both"
    if lacking.any():
        value = ", ".join(f"{c} {joined[c][int(lacking.argmax())]}" for c in shared)
        raise DataError(f"file {path}", f"it has no row for {value}", "complete it")
    return joined.drop(columns="_merge")


def _listed(paths: Sequence[str | os.PathLike[str]]) -> str:
    return " and ".join(Path(p).name for p in paths)


def _choose(frame: pd.DataFrame) -> str:
    numeric = [str(c) for c in frame.columns if is_numeric_dtype(frame[c])]
    return f"choose from {', '.join(numeric)}"
