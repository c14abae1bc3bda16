"""Data of the HTML page, as plain lists."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hwnas.metric import Metric, registered
from hwnas.report._colours import colours
from hwnas.report._columns import NONE, Directions, beside, column
from hwnas.report._genes import chosen
from hwnas.report._plot import Picture
from hwnas.space import SearchSpace

BAND_PCT = 5.0
"""Band of the page's latency plot, in percent."""

DEFAULT_COLUMNS = {"text": "text", "pair": "text_pair", "label": "label"}
"""Columns of tables of texts that an export finds by default."""

_OWN = ("row", "arch")
_DIGITS = 7


def page_data(picture: Picture, facts: Mapping[str, Any], csv: str, space: SearchSpace | None) -> dict[str, Any]:
    """All data that the page's script reads, as JSON types."""
    frame = picture.frame
    numeric = [name for name in frame.columns if name not in _OWN and pd.api.types.is_numeric_dtype(frame[name])]
    texts = [name for name in frame.columns if name not in _OWN and name not in numeric]
    return {
        "csv": csv,
        "dataOptions": _data_options(facts),
        "x": picture.x,
        "y": picture.y,
        "objectives": list(facts.get("objectives") or dict.fromkeys((picture.y, picture.x))),
        "columns": [_column(name, picture.directions) for name in numeric],
        "rows": [int(row) for row in frame["row"]],
        "values": {name: [_number(v) for v in frame[name]] for name in numeric},
        "texts": {name: [str(v) for v in frame[name]] for name in texts},
        "genes": [
            {
                "key": group.key,
                "title": group.title,
                "unit": group.unit,
                "choices": list(group.choices),
                "stages": list(group.stages),
                "codes": group.codes.tolist(),
            }
            for group in chosen(frame, space)
        ],
        "colour": _colour(picture),
        "cloud": {name: [_number(v) for v in values] for name, values in picture.sample.items()},
        "cloudLabel": picture.sample_label,
        "budgets": {name: _number(upper) for name, upper in picture.budgets.items()},
        "floors": {name: _number(lower) for name, lower in picture.floors.items()},
        "trace": [[int(evaluations), _number(volume)] for evaluations, volume in facts.get("trace") or ()],
        "reference": (facts.get("hypervolume") or {}).get("reference") or {},
        "pairs": _pairs(numeric),
    }


def _data_options(facts: Mapping[str, Any]) -> str:
    """Options for ``hwnas export FILE --row N`` to calibrate on the data that accuracies were measured on; empty if the
    supernet brings them, or nothing was measured."""
    evaluator = facts.get("evaluator") or {}
    data = evaluator.get("data")
    if data is None or data == evaluator.get("supernet"):
        return ""
    words = ["--data", str(data)]
    for part, name in (evaluator.get("columns") or {}).items():
        if name != DEFAULT_COLUMNS.get(part):
            words += [f"--{part}-column", str(name)]
    return f" {shlex.join(words)}"


def _colour(picture: Picture) -> dict[str, Any]:
    """The colours of the picture, each member's index into them, and the legend."""
    found = colours(picture.frame, picture.z, picture.directions)
    return {
        "name": found.name,
        "title": found.title,
        "unit": found.unit,
        "metric": picture.z is not None,
        "palette": list(found.palette),
        "index": found.index.tolist(),
        "steps": [_number(step) for step in found.steps],
        "range": [_number(found.amounts.min()), _number(found.amounts.max())],
    }


_KINDS = {"B": "bytes", "MACs": "count", "params": "count", "%": "percent"}
"""Format of values on the page, by unit."""

_WORDS = {
    "at_table_speed": ", at the table's speed",
    "measured": ", measured",
    "p95": ", 95th percentile",
    "std": " ±",
    "low": ", at least",
    "high": ", at most",
}


def _column(name: str, directions: Directions = NONE) -> dict[str, Any]:
    about, found = column(name, directions), beside(name)
    of: Metric = found[0] if found is not None else about
    label = of.label + _WORDS[found[1]] if found is not None else about.label
    unit = "" if about.scaled else about.unit
    return {
        "name": name,
        "label": label,
        "unit": unit,
        "maximise": about.maximise,
        "beside": found is not None,
        "spread": about.companion("std"),
        "kind": _KINDS.get(of.unit, "plain"),
    }


def _pairs(names: list[str]) -> list[dict[str, Any]]:
    """Pairs of predicted and measured columns: ``latency_ms`` and ``latency_measured_ms``."""
    pairs = []
    for name in names:
        predicted = name.replace("_measured", "")
        if predicted != name and predicted in names:
            metric = registered(predicted)
            # An accuracy gets no band: five percent of it mean nothing.
            of_weights = metric is not None and metric.source == "weights"
            pairs.append({"x": predicted, "y": name, "band": None if of_weights else BAND_PCT})
    return pairs


def _number(value: Any) -> float | int | None:
    """A number for JSON, rounded to seven digits; None for NaN, which JSON lacks."""
    if isinstance(value, int | np.integer):
        return int(value)
    value = float(value) if value is not None and value is not pd.NA else math.nan
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
