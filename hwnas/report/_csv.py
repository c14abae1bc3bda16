"""The Pareto CSV: one row per subnet, best accuracy first, units in the column names, the arch as JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.io import parse_arch, read_csv, shown, write_csv
from hwnas.metric import metrics, registered
from hwnas.report._columns import NONE, Directions, beside, column
from hwnas.space import Arch

DECIMALS = 6
"""Decimals of a metric: a nanosecond of latency, a millionth of a point of accuracy."""
MOST_ROWS = 2**53
"""Numbers of rows must be smaller, since larger floats are not exact."""
SMALL = 1e-3
"""If all values of a metric are smaller, such as an energy in joules, it gets as many more decimals as it has leading zeros."""


def pareto_frame(
    archs: Sequence[Arch],
    metrics: Mapping[str, NDArray[np.float64]],
    objectives: Sequence[str] = (),
    directions: Directions = NONE,
) -> pd.DataFrame:
    """The table of a front: ``row``, accuracy and its standard deviation, ``latency_ms, macs, params, ..., arch``.

    Args:
        archs: n subnets, in any order.
        metrics: ``(n,)`` values by column name.
        objectives: columns to sort by after accuracy.
        directions: directions of the user's own metrics.

    Returns:
        A table sorted by accuracy, objectives, latency, MACs, parameters and the rest, best first. ``row`` counts from 1.
    """
    names = in_order(metrics)
    frame = pd.DataFrame({name: tidy(metrics[name]) for name in names})
    frame["arch"] = [json.dumps(arch) for arch in archs]
    leading = [*(name for name in names if _is_quality(name)), *(name for name in objectives if name in metrics)]
    others = (name for name in frame.columns if (beside(name) or ("", ""))[1] != "std")
    keys = list(dict.fromkeys([*leading, *others]))
    ascending = [not column(name, directions).maximise for name in keys]
    frame = frame.sort_values(keys, ascending=ascending, kind="stable", ignore_index=True)
    frame.insert(0, "row", np.arange(1, len(frame) + 1))
    return frame


def tidy(values: NDArray[np.float64]) -> NDArray[Any]:
    """Large whole numbers (MACs) as integers, others rounded, so that files are small and diffs readable."""
    values = np.asarray(values, dtype=np.float64)
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    if np.isfinite(values).all() and largest >= 1e3 and (values == np.rint(values)).all():
        return values.astype(np.int64)
    return values.round(DECIMALS if largest >= SMALL or not largest else DECIMALS - math.floor(math.log10(largest)))


def write_pareto(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame of :func:`pareto_frame`, atomically. The same frame gives the same bytes."""
    write_csv(frame, path)


def read_pareto(path: str | os.PathLike[str], objectives: Sequence[str] = ()) -> pd.DataFrame:
    """Read and check a Pareto CSV: ``row`` is unique, ``arch`` is an object, and metrics are finite numbers.

    Archs that other programs wrote as Python literals become JSON. Columns that users added are kept.

    Args:
        path: the CSV.
        objectives: objectives of the search, which are metrics even if they are the user's own.

    Raises:
        DataError: the file cannot be read, or a cell is not valid; the message names row and column.
    """
    frame = read_csv(path)
    missing = [name for name in ("row", "arch") if name not in frame.columns]
    if missing:
        rule = f"a Pareto CSV has a column {missing[0]!r}"
        raise DataError(f"file {path}", rule, "pass a file that `hwnas search` wrote")
    twice = frame["row"].duplicated()
    if twice.any():
        row = frame["row"][int(twice.argmax())]
        raise DataError(f"file {path}, row {row}", "this number occurs twice", "remove one of the rows")
    numbers = pd.to_numeric(frame["row"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    whole = (np.abs(numbers) < MOST_ROWS) & (numbers == np.rint(numbers))
    if not whole.all():
        row = shown(frame["row"][int(whole.argmin())])
        raise DataError(f"file {path}, row {row}", "rows have whole numbers", "number them in the column 'row'")
    frame["row"] = numbers.astype(np.int64)
    archs = [parse_arch(cell) for cell in frame["arch"]]
    for row, arch in zip(frame["row"], archs, strict=True):
        if arch is None:
            raise DataError(f"file {path}, row {row}, arch", "it is not a JSON object", "restore the cell")
    frame["arch"] = [json.dumps(arch) for arch in archs]
    metrics = metric_names(frame)
    if not metrics:
        raise DataError(f"file {path}", "it has no column of numbers", "pass a file that `hwnas search` wrote")
    for name in dict.fromkeys([*metrics, *(name for name in objectives if name in frame.columns)]):
        numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        if not np.isfinite(numbers).all():
            at = int(np.flatnonzero(~np.isfinite(numbers))[0])
            cell = f"row {frame['row'][at]}, {name} {shown(frame[name][at])}"
            raise DataError(f"file {path}, {cell}", "a metric is a finite number", "correct the cell")
    return frame


def metric_names(frame: pd.DataFrame) -> list[str]:
    """The columns of metrics: registered ones, in order, or all numeric ones if none is registered."""
    known = [name for name in in_order(map(str, frame.columns)) if _rank(name) < len(metrics())]
    if any(registered(name) for name in known):
        return known
    numeric = [str(name) for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    return [name for name in numeric if name != "row"]


def in_order(names: Iterable[str]) -> list[str]:
    """Columns in the order of the registry, with bounds and standard deviations after their metric; then other columns."""
    return sorted(names, key=_rank)


def _rank(name: str) -> int:
    """Position of a column's metric in the registry; measurements, which not every row need have, come last."""
    found = beside(name)
    if found is not None and found[1] not in ("std", "low", "high"):
        return len(metrics())
    metric = found[0] if found is not None else registered(name)
    columns = [m.column for m in metrics().values()]
    return columns.index(metric.column.partition("@")[0]) if metric is not None else len(columns)


def _is_quality(name: str) -> bool:
    metric = registered(name)
    return metric is not None and metric.source == "weights"
