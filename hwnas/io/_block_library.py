"""Reading block libraries: tables of alternatives for each layer, with their scores and costs."""

from __future__ import annotations

import os
from pathlib import Path

from hwnas.errors import DataError
from hwnas.io._csv import in_file, read_csv
from hwnas.io._metrics import read_metric
from hwnas.space import AdditiveCost, SearchSpace
from hwnas.space.families.block_library import block_library, of_model

KEYS = ("layer", "choice")

PRECISION = "precision"
"""The column with the precision of an alternative, if layers have precisions."""


def read_block_library(
    path: str | os.PathLike[str], model: SearchSpace | None = None
) -> tuple[SearchSpace, dict[str, AdditiveCost]]:
    """A space and its metrics from a CSV with the columns ``layer``, ``choice`` and one per metric.

    The CSV has one row per layer and alternative. Every other column is a metric that adds up over the layers, such as loss of
    quality, latency in ms, or memory. With a column ``precision`` an alternative is a choice in a precision. The space is named
    after the file.

    Args:
        path: of the CSV.
        model: the space of the library's model, if its layers are named as the model's genes (``f[3]``). The result is then the
            part of the model's space that the file covers, without layers.

    Raises:
        DataError: a column is missing, a metric is not numeric, or the rows form no library, or not one of the model.
    """
    frame = read_csv(path)
    missing = [key for key in KEYS if key not in frame.columns]
    metrics = [str(c) for c in frame.columns if c not in (*KEYS, PRECISION)]
    if missing or not metrics:
        columns = ", ".join(map(str, frame.columns))
        needs = "a block library has layer, choice and a column per metric"
        raise DataError(f"file {path} with columns {columns}", needs, f"add {', '.join(missing) or 'a metric'}")
    layers, choices = (frame[key].tolist() for key in KEYS)
    precisions = frame[PRECISION].tolist() if PRECISION in frame else [""] * len(frame)
    alternatives = [f"{choice}@{own}" if own else choice for choice, own in zip(choices, precisions, strict=True)]
    with in_file(path):
        values = {metric: read_metric(frame, metric) for metric in metrics}
        space, costs = block_library(layers, alternatives, values, name=Path(path).name.split(".")[0])
        return (space, costs) if model is None else of_model(model, layers, choices, precisions, values)
