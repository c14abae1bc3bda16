"""The Pareto CSV: one row per subnet, best accuracy first, units in the column names, the arch as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.io import read_csv, write_csv
from hwnas.report._columns import column
from hwnas.space import Arch

DECIMALS = 6
"""Of every metric: a nanosecond of latency, a millionth of a point of accuracy."""

_ORDER = ("top1", "top1_std", "score", "latency_ms", "latency_low_ms", "latency_high_ms", "macs", "params")
_METRICS = ("top1", "latency_ms", "macs", "params")
"""One of them every Pareto CSV has."""


def pareto_frame(
    archs: Sequence[Arch], metrics: Mapping[str, NDArray[np.float64]], objectives: Sequence[str] = ()
) -> pd.DataFrame:
    """The front as a table: ``row, top1, top1_std, latency_ms, macs, params, ..., arch``.

    Args:
        archs: n subnets, in any order.
        metrics: ``(n,)`` values by column name.
        objectives: columns that come first in the order of rows, behind ``top1``.

    Returns:
        Sorted by ``top1``, objectives, latency, MACs, parameters and the rest, best first;
        ``row`` counts from 1.
    """
    known = [name for stem in _ORDER for name in metrics if name.partition("@")[0] == stem]
    names = [*known, *(name for name in metrics if name not in known)]
    frame = pd.DataFrame({name: tidy(metrics[name]) for name in names})
    frame["arch"] = [json.dumps(arch) for arch in archs]
    leading = [name for name in ("top1", *objectives) if name in metrics]
    keys = list(dict.fromkeys([*leading, *(name for name in frame.columns if name != "top1_std")]))
    frame = frame.sort_values(
        keys, ascending=[not column(name).maximise for name in keys], kind="stable", ignore_index=True
    )
    frame.insert(0, "row", np.arange(1, len(frame) + 1))
    return frame


def tidy(values: NDArray[np.float64]) -> NDArray[Any]:
    """Whole numbers as integers (MACs), others rounded: files stay small and diffs readable."""
    values = np.asarray(values, dtype=np.float64)
    whole = np.isfinite(values).all() and np.abs(values).max(initial=0) >= 1e3 and (values == np.rint(values)).all()
    return values.astype(np.int64) if whole else values.round(DECIMALS)


def write_pareto(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame of :func:`pareto_frame`, atomically. Same frame, same bytes."""
    write_csv(frame, path)


def read_pareto(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a Pareto CSV back, checked: ``row`` is unique, ``arch`` a JSON object, metrics are finite numbers.

    Columns that users added are kept as they are.

    Raises:
        DataError: unreadable, or not such a file; says which row and column.
    """
    frame = read_csv(path)
    missing = [name for name in ("row", "arch") if name not in frame.columns]
    if missing:
        raise DataError(
            f"file {path}", f"a Pareto CSV has a column {missing[0]!r}", "pass a file that `hwnas search` wrote"
        )
    twice = frame["row"].duplicated()
    if twice.any():
        raise DataError(
            f"file {path}, row {frame['row'][int(twice.argmax())]}",
            "this number occurs twice",
            "remove one of the rows",
        )
    for row, cell in zip(frame["row"], frame["arch"], strict=True):
        if not _is_arch(cell):
            raise DataError(f"file {path}, row {row}, arch", "it is not a JSON object", "restore the cell")
    metrics = metric_names(frame)
    if not metrics:
        raise DataError(f"file {path}", "it has no column of numbers", "pass a file that `hwnas search` wrote")
    for name in metrics:
        numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        if not np.isfinite(numbers).all():
            at = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise DataError(
                f"file {path}, row {frame['row'][at]}, {name} {frame[name][at]!r}",
                "a metric is a finite number",
                "correct the cell",
            )
    return frame


def metric_names(frame: pd.DataFrame) -> list[str]:
    """The metric columns: those that every Pareto CSV may have, in order; where there is none, all numeric ones."""
    known = [str(name) for stem in _ORDER for name in frame.columns if str(name).partition("@")[0] == stem]
    if any(name in _METRICS for name in known):
        return known
    numeric = [str(name) for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    return [name for name in numeric if name != "row"]


def _is_arch(cell: object) -> bool:
    try:
        return isinstance(json.loads(str(cell)), dict)
    except (ValueError, RecursionError):
        return False
