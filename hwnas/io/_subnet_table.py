"""Reading tables that tell metrics of every subnet of a space, or of every layer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.io._subnets import read_archs, read_csv, read_metric
from hwnas.space import Population, SearchSpace

Columns = dict[str, NDArray[np.float64]]


def read_subnet_table(
    paths: Sequence[str | os.PathLike[str]], space: SearchSpace, renamed: Mapping[str, str]
) -> tuple[Population, Columns]:
    """Rows of subnets and every numeric column, from one CSV or several that share a key column.

    Args:
        paths: the first has the archs; the others are joined to it by the columns that both have.
        space: of the archs.
        renamed: columns of the files to the names they go by.

    Returns:
        ``(n, g)`` rows, and ``(n,)`` values by name.

    Raises:
        DataError: a file or column that does not fit, or fewer rows than the space has subnets.
    """
    frame = read_csv(paths[0])
    x = read_archs(frame, space)
    distinct = len(np.unique(x, axis=0))
    if distinct < space.size():
        found = f"it holds {distinct:,} of the {space.size():,} subnets of {space.name}"
        raise DataError(f"file {paths[0]}", found, "complete it, or restrict the space with --fix")
    for path in paths[1:]:
        frame = _joined(frame, read_csv(path), str(path))
    for source, name in renamed.items():
        if source not in frame.columns:
            raise DataError(f"column {source!r}", f"{_listed(paths)} has no such column", _choose(frame))
        if name != source and name in frame.columns:
            rule = f"{_listed(paths)} has a column of that name"
            raise DataError(f"{name}={source}", rule, "choose another name, or drop the column")
    frame = frame.rename(columns=dict(renamed))
    used = {"arch", "Sub-network", *space.groups}
    numeric = [c for c in frame.columns if c not in used and pd.api.types.is_numeric_dtype(frame[c])]
    return x, {str(c): read_metric(frame, str(c)) for c in numeric if frame[c].notna().all()}


def read_layer_costs(path: str | os.PathLike[str]) -> tuple[list[str], Columns]:
    """Keys of layers, as latency tables write them, and every further column.

    Raises:
        DataError: no column ``key``, a key twice, or a cell that is no finite number.
    """
    frame = read_csv(path)
    names = [str(c) for c in frame.columns if c not in ("key", "context")]
    if "key" not in frame.columns or not names:
        rule = "costs of layers stand in a column `key` and one per metric"
        raise DataError(f"file {path}", rule, "take the keys from a latency table's table.csv")
    twice = frame["key"].duplicated()
    if twice.any():
        raise DataError(f"file {path}, key {frame['key'][int(twice.argmax())]}", "it is there twice", "keep one row")
    try:
        return frame["key"].astype(str).tolist(), {name: read_metric(frame, name) for name in names}
    except DataError as error:
        raise DataError(f"file {path}, {error.value}", error.rule, error.remedy) from error


def _joined(frame: pd.DataFrame, more: pd.DataFrame, path: str) -> pd.DataFrame:
    shared = [c for c in frame.columns if c in more.columns]
    if not shared:
        raise DataError(f"file {path}", "it shares no column with the first table", "add the key that joins them")
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
    numeric = [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]
    return f"choose from {', '.join(numeric)}"
