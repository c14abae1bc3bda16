"""Measured subnets of one or more files, to fit a predictor to."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.files import file_hash
from hwnas.metric import QUALITY, Metric, get_metric, metrics, registered, split_direction
from hwnas.progress import notice
from hwnas.quantity import count_of

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
    """

    x: Population
    y: NDArray[np.float64]
    card: Card
    metric: Metric | None
    on_samples: bool

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
        for path in paths:
            _refuse_predicted(path, column)
        found = []
        for path, frame in zip(paths, frames, strict=True):
            with in_file(path):
                found.append((read_archs(frame, space), read_metric(frame, column)))
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
        return cls(x, y, card, metric, of_weights and any("n_images" in frame for frame in frames))


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
        remedy = f"measure it: hwnas evaluate --supernet NAME --archs {shlex.quote(str(path))} --out measured.csv, then fit measured.csv"
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
