"""Reading block libraries: tables of alternatives per layer, with a score and costs for each."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from hwnas.errors import DataError, SpaceError
from hwnas.io._subnets import read_csv
from hwnas.space import AdditiveCost, SearchSpace
from hwnas.space.families.block_library import block_library

KEYS = ("layer", "choice")


def read_block_library(path: str | os.PathLike[str]) -> tuple[SearchSpace, dict[str, AdditiveCost]]:
    """A space and its metrics from a CSV with the columns ``layer``, ``choice`` and one per metric.

    One row per layer and alternative; every further column is a metric that adds up over the layers,
    such as the loss of quality, latency in ms, memory. The space is named after the file.

    Raises:
        DataError: a missing column, a metric that is not numeric, or rows that make no library.
    """
    frame = read_csv(path)
    missing = [key for key in KEYS if key not in frame.columns]
    metrics = [str(c) for c in frame.columns if c not in KEYS]
    if missing or not metrics:
        columns = ", ".join(map(str, frame.columns))
        needs = "a block library has layer, choice and a column per metric"
        raise DataError(f"file {path} with columns {columns}", needs, f"add {', '.join(missing) or 'a metric'}")
    for metric in metrics:
        if not pd.api.types.is_numeric_dtype(frame[metric]):
            bad = next(str(v) for v in frame[metric] if not _is_number(v))
            raise DataError(f"column {metric!r} of {path}", f"{bad!r} is not a number", "correct it")
    layers, choices = (frame[key].tolist() for key in KEYS)
    values = {metric: frame[metric].to_numpy(dtype=np.float64) for metric in metrics}
    try:
        return block_library(layers, choices, values, name=Path(path).name.split(".")[0])
    except SpaceError as error:
        raise DataError(f"file {path}, {error.value}", error.rule, error.remedy) from error


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
