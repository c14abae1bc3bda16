"""Read and write provenance: how a front was made, in enough detail to make it again."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from hwnas import __version__
from hwnas.errors import DataError
from hwnas.files import replacing
from hwnas.metric import DIRECTIONS, LATENCY, QUALITY

SCHEMA = 1
_PACKAGES = ("numpy", "scipy", "pandas", "pymoo", "scikit-learn", "onnx", "onnxruntime", "torch")


def versions() -> dict[str, str]:
    """Versions of hwnas, Python and the installed packages that a result depends on."""
    found = {"hwnas": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def provenance_path(csv: str | os.PathLike[str]) -> Path:
    """The provenance file of a CSV: beside it, with ``.json`` in place of ``.csv``."""
    path = Path(csv)
    return path.parent / f"{path.stem}.json"  # with_suffix raises at "."


def write_provenance(facts: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write ``facts`` as JSON, atomically, after the schema, the time and :func:`versions`."""
    head = {"schema": SCHEMA, "created": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions()}
    with replacing(path) as part:
        part.write_text(_dumps({**head, **facts}) + "\n", encoding="utf-8")


def _dumps(facts: Mapping[str, Any]) -> str:
    """JSON with one line per fact, or per entry of a long one."""
    parts = []
    for key, value in facts.items():
        flat = _json(value)
        nested = isinstance(value, Mapping) and len(flat) > 100
        if nested:
            inner = ",\n".join(f"    {_json(k)}: {_json(v)}" for k, v in value.items())
            flat = "{\n" + inner + "\n  }"
        parts.append(f"  {_json(key)}: {flat}")
    return "{\n" + ",\n".join(parts) + "\n}"


_json = partial(json.dumps, allow_nan=False, default=np.generic.item)
"""JSON of a value, in which settings may be numpy's numbers."""


def read_provenance(csv: str | os.PathLike[str]) -> dict[str, Any]:
    """The provenance beside a Pareto CSV; empty if there is none.

    Raises:
        DataError: there is a file of that name, but no search wrote it.
    """
    path = provenance_path(csv)
    if not path.is_file():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f"file {path}", "it is not the JSON that a search writes", "restore or remove it") from error
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise DataError(f"file {path}", f"its schema is not {SCHEMA}", "restore or remove it")
    for key, fits in _SHAPES.items():
        if facts.get(key) is not None and not fits(facts[key]):
            raise DataError(f"file {path}", f"its {key!r} is not what a search writes", "restore or remove it")
    if facts.get("device"):
        facts["device"] = _upgraded(facts["device"])
    if facts.get("devices"):
        facts["devices"] = {name: _upgraded(device) for name, device in facts["devices"].items()}
    return facts


def _upgraded(device: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a latency table in the present form; earlier versions had its precision among the conditions."""
    old = device.get("conditions")
    precision = old.get("precision") if isinstance(old, Mapping) else None
    if not isinstance(old, Mapping) or not isinstance(precision, str):
        return dict(device)
    conditions = {name: value for name, value in old.items() if name != "precision"}
    names = {
        key: re.sub(rf"-{re.escape(precision)}(?=$|-spin-)", "", device[key])
        for key in ("id", "name")
        if isinstance(device.get(key), str)
    }
    return {**device, **names, "precision": precision, "conditions": conditions}


def predicted_by(facts: Mapping[str, Any], metric: str) -> str | None:
    """The predictor or latency table of a front's metric; None if it was measured, or nothing is known.

    Args:
        facts: provenance of the front; may be empty.
        metric: name of a column.
    """
    predictor = facts.get("predictor") or {}
    if predictor and not facts.get("evaluator") and metric == predictor.get("metric", QUALITY.column):
        return str(predictor.get("name", "a predictor"))
    device = facts.get("device") or {}
    return str(device.get("name", "a latency table")) if device and metric.partition("@")[0] == LATENCY.column else None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(_number(v) for v in value.values())


def _list_of_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_number, value))


def _named(value: Any) -> bool:
    return _mapping(value) and (not value or isinstance(value.get("name"), str))


def _layers(evaluator: Mapping[str, Any]) -> bool:
    """Whether measured sensitivities of layers, if there are any, have all that their table shows."""
    rows = evaluator.get("sensitivity") or []
    shown = {"layer", "images", "logit_error_pct", "alike_pct"}
    return isinstance(rows, list) and all(_mapping(row) and shown <= row.keys() for row in rows)


_SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "objectives": _texts,
    "budgets": _numbers,
    "floors": _numbers,
    "directions": lambda value: _mapping(value) and all(v in DIRECTIONS for v in value.values()),
    "space": lambda value: _mapping(value) and _texts([value.get(key) or "" for key in ("name", "reference")]),
    "device": _mapping,
    "devices": lambda value: _mapping(value) and all(map(_mapping, value.values())),
    "predictor": lambda value: _named(value) and isinstance(value.get("data", []), list),
    "evaluator": lambda value: _mapping(value) and (not value or "images" in value) and _layers(value),
    "score": _named,
    "certificate": _mapping,
    "versions": _mapping,
    "hypervolume": lambda value: _mapping(value) and _numbers(value.get("reference", {})),
    "trace": lambda value: isinstance(value, list) and all(_list_of_numbers(v) and len(v) == 2 for v in value),
    "random_sample": lambda value: (
        _mapping(value) and all(map(_list_of_numbers, value.values())) and len({*map(len, value.values())}) <= 1
    ),
}
"""Checks of facts that readers rely on. Every fact may be missing."""
