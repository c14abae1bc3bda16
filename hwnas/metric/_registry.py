"""The registry of metrics: those of hwnas and of plug-ins; and metrics of users' columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from hwnas.errors import DataError
from hwnas.metric._metric import DIRECTIONS, UNITS, Direction, Metric, ending_of
from hwnas.quantity import format_bytes, parse_bytes, parse_count, parse_latency_ms, parse_rate


def _milliseconds(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _bytes(value: float) -> str:
    return format_bytes(float(f"{value:.3g}"))


def _three_digits(count: float) -> str:
    """``6.10M``, ``61.0M``, ``610M``: the same precision for every value of a column."""
    count = float(f"{count:.3g}")
    exponent = min((len(f"{count:.0f}") - 1) // 3, 4)
    return f"{count / 1000**exponent:#.3g}".rstrip(".") + ("", "k", "M", "G", "T")[exponent]


_KINDS: Mapping[str, dict[str, Any]] = {
    "%": {"show": "{:.2f}".format},
    "ms": {"parse": parse_latency_ms, "show": _milliseconds},
    "B": {"parse": parse_bytes, "show": _bytes, "scaled": True},
    "images/s": {"parse": parse_rate},
    "MACs": {"parse": parse_count, "show": _three_digits, "scaled": True},
    "params": {"parse": parse_count, "show": _three_digits, "scaled": True},
}
"""How values are read and printed, by unit."""


def _metric(name: str, column: str, direction: Direction, unit: str = "", **more: Any) -> Metric:
    return Metric(name, column, direction, unit, **{**_KINDS.get(unit, {}), **more})


_PERCENT = {"source": "weights", "lowest": 0.0, "highest": 100.0}
BUILT_IN = {
    metric.name: metric
    for metric in (
        _metric("top1", "top1", "max", "%", label="Top-1", **_PERCENT,
                aliases=("top1acc", "top1accuracy", "accuracytop1", "top1pct", "accuracy", "acc")),
        _metric("accuracy", "accuracy", "max", "%", label="Accuracy", **_PERCENT, aliases=("acc", "accuracypct")),
        _metric("f1", "f1", "max", label="F1", source="weights", lowest=0.0, highest=100.0, show="{:.4g}".format,
                aliases=("f1score", "macrof1")),
        _metric("mcc", "mcc", "max", label="MCC", source="weights", lowest=-1.0, highest=1.0, show="{:.4g}".format, aliases=("matthews",)),
        _metric("perplexity", "perplexity", "min", label="Perplexity", source="weights", lowest=1.0, aliases=("ppl",)),
        _metric("kl", "kl", "min", label="KL to the parent (nats)", source="weights", lowest=0.0, show="{:.4g}".format),
        _metric("agreement", "agreement", "max", "%", label="Agreement with the parent", **_PERCENT),
        _metric("score", "score", "max", label="Score"),
        _metric("synflow", "synflow_score", "max", label="Synflow (score, no accuracy)", source="untrained", show="{:.4g}".format),
        _metric("swap", "swap_score", "max", label="SWAP (score, no accuracy)", source="untrained", show="{:.4g}".format),
        _metric("latency", "latency_ms", "min", "ms", label="Latency", source="device", aliases=("latencyms", "latency")),
        _metric("throughput", "images_per_s", "max", "images/s", label="Throughput", source="device"),
        _metric("macs", "macs", "min", "MACs", label="MACs", source="layers", aliases=("macsreported",)),
        _metric("params", "params", "min", "params", label="Params", source="layers",
                aliases=("modelparameters", "parameters")),
        _metric("memory", "memory_bytes", "min", "B", label="Memory", source="layers"),
        _metric("prefill", "prefill_ms", "min", "ms", label="Prefill"),
        _metric("kv_cache", "kv_bytes_per_token", "min", "B", label="KV cache per token"),
        _metric("size", "size_bytes", "min", "B", label="File size", source="layers", aliases=("filesize", "modelsize")),
    )
}  # fmt: skip

QUALITY, LATENCY, THROUGHPUT, SIZE = (BUILT_IN[name] for name in ("top1", "latency", "throughput", "size"))
"""The usual quality metric; the two metrics that a latency table predicts; and the size of the exported file."""

WRITTEN = frozenset({"row", "arch", "Sub-network", "n_images", "n_calibration", "speed_pct", "within_budget"})
"""Columns of CSVs that are no metric's."""


@cache
def metrics() -> Mapping[str, Metric]:
    """Every registered metric by name: those of hwnas, then those of plug-ins under ``hwnas.metrics``.

    Raises:
        DataError: a plug-in cannot be loaded, is not a Metric, or has a name or column that is taken.
    """
    found = dict(BUILT_IN)
    for entry in entry_points(group="hwnas.metrics"):
        where = f"metric {entry.name!r}"
        try:
            metric = entry.load()
        except Exception as error:
            rule = f"its plug-in {entry.value} cannot be loaded ({error})"
            raise DataError(where, rule, "reinstall or remove the plug-in") from error
        if not isinstance(metric, Metric) or metric.name != entry.name:
            raise DataError(where, f"{entry.value} is no hwnas.Metric of that name", "correct the plug-in")
        if metric.name in found or metric.column in WRITTEN | {m.column for m in found.values()}:
            raise DataError(where, "its name or column is taken", "rename it in the plug-in")
        found[metric.name] = metric
    return found


def registered(name: str) -> Metric | None:
    """The registered metric with a name or column, which may end in ``@device``; None if there is none."""
    stem, _, device = name.strip().partition("@")
    known = metrics()
    metric = known.get(stem) or next((m for m in known.values() if m.column == stem), None)
    return metric.on(device) if metric is not None else None


def with_parts(wanted: Iterable[Metric]) -> list[Metric]:
    """Metrics and those that they are derived from, each once."""
    found: dict[str, Metric] = {}
    for metric in wanted:
        parts = [registered_or_own(column) for column in metric.of]
        found |= {each.column: each for each in (metric, *with_parts(parts))}
    return list(found.values())


def column_of(name: str) -> str:
    """The column for a metric's name: ``latency_ms@phone`` for ``latency@phone``."""
    metric = registered(name)
    return metric.column if metric is not None else name.strip()


def own_metric(column: str, direction: Direction) -> Metric:
    """A metric of a user's column, with the unit of the column's ending (``_ms``, ``_bytes``, ``_pct``), if it has one."""
    ending = ending_of(column.partition("@")[0])
    label = column.removesuffix(ending).replace("_", " ")
    return _metric(column, column, direction, UNITS.get(ending.removeprefix("_"), ""), label=label)


def registered_or_own(name: str, direction: Direction = "min") -> Metric:
    """The registered metric with a name or column, or else a user's metric with ``direction``."""
    return registered(name) or own_metric(name, direction)


def get_metric(name: str, direction: Direction | None = None) -> Metric:
    """A registered metric by name or column, or a user's metric, which needs a direction.

    Raises:
        DataError: the metric is not registered, and has no direction.
    """
    metric = registered(name)
    if metric is not None:
        return metric if direction is None else replace(metric, direction=direction)
    if direction is None:
        rule, meant = "hwnas does not know whether more of it is better", near(name)
        remedy = f"write {name}:max or {name}:min" + (f", or {meant} if that is meant" if meant else "")
        raise DataError(f"metric {name}", rule, remedy)
    return own_metric(name, direction)


def near(name: str) -> str | None:
    """The registered metric with the most similar name, if there is one."""
    return next(iter(get_close_matches(name, metrics(), n=1)), None)


def split_direction(text: str) -> tuple[str, Direction | None]:
    """``("f1", "max")`` for ``f1:max``; the direction may be missing. Device names may contain colons: ``latency@cuda:0``.

    Raises:
        DataError: the text after the colon is neither ``max`` nor ``min``.
    """
    name, colon, direction = text.strip().rpartition(":")
    if colon and direction in DIRECTIONS:
        return name.strip(), direction
    if colon and "@" not in name:
        raise DataError(f"objective {text.strip()}", "its direction is max or min", f"write {name}:max or {name}:min")
    return text.strip(), None
