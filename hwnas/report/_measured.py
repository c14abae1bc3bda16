"""Add measured latencies to a Pareto CSV, beside the predicted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hwnas.latency import Measurement
from hwnas.metric import LATENCY, registered
from hwnas.report._columns import beside
from hwnas.report._csv import DECIMALS

PREDICTED, MEASURED = LATENCY.column, LATENCY.companion("measured")
ERROR, WITHIN = "latency_error_pct", "within_budget"


def with_measured(
    frame: pd.DataFrame,
    at: Sequence[int],
    measured: Sequence[Measurement],
    budget_ms: float | None,
    *,
    device: str = "",
) -> pd.DataFrame:
    """``frame`` with measured latencies after ``latency_ms``; other columns and the order of rows stay.

    ``latency_measured_ms`` and ``latency_p95_ms`` are by the wall clock. If the machine's speed relative to the table is
    known, ``latency_at_table_speed_ms`` and ``speed_pct`` are added. ``latency_error_pct`` is the error of the prediction,
    positive if it is too high. With a budget, ``within_budget`` says whether the measured latency keeps it. Cells of rows
    that were never measured are empty.

    Args:
        frame: a Pareto frame, as numbers or as text.
        at: positions of the measured rows.
        measured: one measurement per position.
        budget_ms: the latency budget.
        device: name of a device other than the main one, which ends its columns: ``latency_measured_ms@phone``.
    """
    latency, on = LATENCY.on(device), f"@{device}" if device else ""
    middle, p95, at_speed = (latency.companion(what) for what in ("measured", "p95", "at_table_speed"))
    speed, error, holding = f"speed_pct{on}", f"{ERROR}{on}", f"{WITHIN}{on}"
    values = {name: _numbers(frame, name) for name in (middle, p95, at_speed, speed)}
    for position, one in zip(at, measured, strict=True):
        values[middle][position] = round(one.median_ms, DECIMALS)
        values[p95][position] = round(one.p95_ms, DECIMALS)
        values[at_speed][position] = np.nan if one.at_table_speed_ms is None else round(one.at_table_speed_ms, DECIMALS)
        values[speed][position] = np.nan if one.speed_pct is None else round(one.speed_pct, 1)
    added: dict[str, Any] = {
        name: column for name, column in values.items() if name in (middle, p95) or not np.isnan(column).all()
    }
    if latency.column in frame.columns:
        added[error] = (100 * (_numbers(frame, latency.column) / values[middle] - 1)).round(3)
    if budget_ms is not None:
        known = ~np.isnan(values[middle])
        within = np.full(len(frame), None, dtype=object)
        within[known] = (values[middle][known] <= budget_ms).tolist()
        added[holding] = within
    rest = frame.drop(columns=[name for name in (*values, error, holding) if name in frame.columns])
    place = _behind_prediction([str(name) for name in rest.columns], latency.column)
    for i, (name, column) in enumerate(added.items()):
        rest.insert(place + i, name, column)
    return rest


def holds(frame: pd.DataFrame, budgets: Mapping[str, float]) -> pd.Series[bool]:
    """``(n,)``: whether each row keeps the main device's latency budget; rows without measurement count as keeping it."""
    budget_ms = budgets.get(PREDICTED)
    if budget_ms is None or MEASURED not in frame.columns:
        return pd.Series(data=True, index=frame.index)
    return ~(pd.Series(_numbers(frame, MEASURED), index=frame.index) > budget_ms)


def _behind_prediction(columns: Sequence[str], predicted: str) -> int:
    """Position for measurements: after the predicted latency, or the main device's columns, or the last accuracy, or
    ``row``."""
    if predicted in columns:
        return columns.index(predicted) + 1
    main = [i for i, name in enumerate(columns) if name in (PREDICTED, ERROR, WITHIN) or _of_latency(name)]
    if main and "@" in predicted:
        return main[-1] + 1
    known = {name: beside(name) for name in columns}
    of = {name: found[0] if found is not None else registered(name) for name, found in known.items()}
    qualities = [i for i, name in enumerate(columns) if (metric := of[name]) is not None and metric.source == "weights"]
    return (qualities[-1] if qualities else columns.index("row") if "row" in columns else -1) + 1


def _of_latency(name: str) -> bool:
    found = beside(name)
    return found is not None and found[0].name == LATENCY.name


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A column as floats; NaN if a cell is empty or the column is missing."""
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    cells = frame[name].replace("", np.nan)
    return np.array(pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))
