"""Metrics in tables."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.io._csv import shown
from hwnas.metric import check_values, registered


def metric_column(frame: pd.DataFrame, metric: str) -> str:
    """Name of the column of ``metric``, which may have one of its aliases (``Top-1 Acc (%)`` for ``top1``).

    Raises:
        DataError: there is no such column; lists the numeric columns.
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
        DataError: there is no such column, a cell is no finite number, or the metric cannot have the value; rows count from 1.
    """
    name = metric_column(frame, metric)
    values = np.asarray(pd.to_numeric(frame[name], errors="coerce"), dtype=np.float64)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(
            f"row {row + 1}, {name} {shown(frame[name].iloc[row])}", "a finite number is needed", "correct it"
        )
    known = registered(metric)
    if known is not None:
        check_values(known, values, name)
    return values
