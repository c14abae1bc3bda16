"""Measured subnets of one or more files, to fit a predictor to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.files import as_argument, file_hash
from hwnas.metric import LATENCY, QUALITY, Metric, get_metric, metrics, own_metric, registered, split_direction
from hwnas.progress import notice
from hwnas.wording import count_of

SHARES = ("top1", "accuracy")
"""Metrics that are shares of correct samples, whose errors follow from their values."""

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.predictor import Card
    from hwnas.space import Population, SearchSpace


@dataclass(frozen=True)
class MeasuredData:
    """Subnets with a measured metric.

    Attributes:
        x: ``(n, g)`` subnets.
        y: ``(n,)`` values.
        card: column and unit of the metric, its direction if one was stated, and the files.
        metric: the metric; None if it is the user's own and no direction was stated.
        on_samples: whether the values depend on the samples that they were measured on.
        errors: ``(n,)`` standard errors of the values, due to the choice of these samples; None if not all are known.
    """

    x: Population
    y: NDArray[np.float64]
    card: Card
    metric: Metric | None
    on_samples: bool
    errors: NDArray[np.float64] | None = None

    @classmethod
    def read(cls, paths: Sequence[Path], space: SearchSpace, asked: str | None) -> MeasuredData:
        """Read files.

        Args:
            paths: CSVs of subnets.
            space: space of the subnets.
            asked: the metric by name or column; None for the one that the files name.

        Raises:
            DataError: a file cannot be read, its values were predicted, or values of a subnet are too far apart.
        """
        from hwnas.io import in_file, read_archs, read_csv, read_metric
        from hwnas.predictor import Card

        frames = [read_csv(path) for path in paths]
        name, direction = split_direction(asked if asked is not None else _quality_in(frames))
        metric = registered(name) if direction is None else get_metric(name, direction)
        column = metric.column if metric is not None else name
        columns = [measured_column(frame, column) for frame in frames]
        for path, each in zip(paths, columns, strict=True):
            _refuse_predicted(path, each)
        found = []
        for path, frame, each in zip(paths, frames, columns, strict=True):
            with in_file(path):
                found.append((read_archs(frame, space), read_metric(frame, each)))
        told = [errors_in(frame, each, y) for frame, each, (_, y) in zip(frames, columns, found, strict=True)]
        known = [errors for errors in told if errors is not None]
        x, y = (np.concatenate(part) for part in zip(*found, strict=True))
        _check_repeats([(path, i + 1) for path, f in zip(paths, frames, strict=True) for i in range(len(f))], x, y)
        files = [
            {"name": path.name, "sha256": file_hash(path), "rows": len(frame)}
            for path, frame in zip(paths, frames, strict=True)
        ]
        card = Card(
            metric=column, unit=metric.unit if metric is not None else "", data=files, direction=direction or ""
        )
        # A latency beside an accuracy does not depend on samples.
        of_weights = metric is not None and metric.source == "weights"
        on_samples = of_weights and any("n_images" in frame for frame in frames)
        return cls(x, y, card, metric, on_samples, np.concatenate(known) if len(known) == len(told) else None)


def measured_column(frame: pd.DataFrame, metric: str) -> str:
    """The column of a metric's measured values, which in a front stand beside the expected ones (``top1_measured``)."""
    measured = own_metric(metric, "max").companion("measured")
    return measured if measured in frame.columns else metric


def errors_in(frame: pd.DataFrame, metric: str, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """``(n,)`` standard errors of measured values: a column of their own, or what follows from shares of ``n_images``.

    None if they are not known for all rows.
    """
    column = own_metric(metric, "max").companion("std")
    errors = np.full(len(frame), np.nan)
    if column in frame.columns:
        errors = _numbers(frame[column])
    elif "n_images" in frame.columns and metric in SHARES:
        from hwnas.task import share_errors  # tasks load torch

        errors = share_errors(values, _numbers(frame["n_images"]))
    return errors if (np.isfinite(errors) & (errors > 0)).all() else None


def _numbers(cells: pd.Series[Any]) -> NDArray[np.float64]:
    """Cells as numbers, NaN where they are not."""
    import pandas as pd

    return np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)


def _quality_in(frames: Sequence[pd.DataFrame]) -> str:
    """The metric of weights that every file has a column of; top-1, which has many other names, if there is none."""
    of_weights = [metric for metric in metrics().values() if metric.source == "weights"]
    return next((m.name for m in of_weights if all(m.column in frame.columns for frame in frames)), QUALITY.name)


def _refuse_predicted(path: Path, metric: str) -> None:
    """Refuse values that a predictor gave: a predictor must learn from measurements.

    Raises:
        DataError: the provenance beside the file says so.
    """
    from hwnas.report import predicted_by, provenance_path, read_provenance

    try:
        facts = read_provenance(path)
    except DataError:  # the JSON is not a provenance
        return
    by = predicted_by(facts, metric)
    if by is not None:
        rule = f"{provenance_path(path).name} says that {metric} was predicted by {by}, and a predictor learns from measurements"
        file = as_argument(path)
        remedy = f"measure it: hwnas evaluate --supernet NAME --archs {file} --out measured.csv, then fit measured.csv"
        if metric.startswith(LATENCY.column):
            remedy = f"measure it: hwnas measure {file} --out measured.csv, then fit measured.csv"
        raise DataError(f"file {path}, metric {metric!r}", rule, remedy)


def _check_repeats(rows: list[tuple[Path, int]], x: Population, y: NDArray[np.float64]) -> None:
    """Notify the user of repeated subnets, whose mean is fitted; refuse values too far apart to be repeats.

    Args:
        rows: file and number of each row.
        x: ``(n, g)`` subnets.
        y: ``(n,)`` measured values.

    Raises:
        DataError: values of a subnet differ by more than the standard deviation of all values, by a typing error or
            because the files are of different data.
    """
    seen: dict[bytes, int] = {}
    apart: dict[int, float] = {}
    for at, row in enumerate(x):
        before = seen.setdefault(row.tobytes(), at)
        if y[before] != y[at]:
            apart[before] = max(apart.get(before, 0.0), abs(y[at] - y[before]))
        if abs(y[at] - y[before]) > y.std():
            (file, number), (other, earlier) = rows[at], rows[before]
            rule = f"it is the subnet of {other}, row {earlier}, with another value, {y[before]:.8g}, not {y[at]:.8g}"
            raise DataError(f"file {file}, row {number}", rule, "keep one of the rows, or their mean")
    if apart:
        found = f"{count_of(len(apart), 'subnet')} with several values, up to {max(apart.values()):.3g} apart"
        notice(f"{found}: means are fitted")
