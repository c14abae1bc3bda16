"""Metrics: what can be told of a subnet, in which unit, and which way is better.

All metrics that hwnas knows stand in one registry; plug-ins add theirs by the entry point ``hwnas.metrics``. A column of
the user's is a metric too, once its direction is said: ``f1_macro:max``, ``energy_mj:min``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError, QuantityError
from hwnas.quantity import (
    format_bytes,
    format_quantity,
    parse_bytes,
    parse_count,
    parse_latency_ms,
    parse_number,
    parse_rate,
)

Direction = Literal["max", "min"]
Source = Literal["weights", "untrained", "device", "layers", "file", "metrics"]
"""Where values come from: a predictor or an evaluation of the weights, the network before its training (a score, no
accuracy), a latency table, the layers, a file of the user's, or other metrics."""

DIRECTIONS: tuple[Direction, ...] = ("max", "min")


@dataclass(frozen=True)
class Metric:
    """A number that can be told of a subnet.

    Attributes:
        name: as people type it (``"latency"``).
        column: of tables and files, its unit included (``"latency_ms"``).
        direction: ``"max"`` where more is better, ``"min"`` where less is.
        unit: of the column's values (``"ms"``); empty for a plain number.
        label: title of an axis or of a table's column.
        source: where its values come from; see ``Source``.
        aliases: what others call the column, in lower case without punctuation.
        lowest, highest: values that are possible at all.
        parse: ``(text, option)`` to a value in ``unit``; raises QuantityError.
        show: a value as a table prints it, without ``unit``.
        scaled: whether ``show`` writes a unit or factor of its own (``61.0M``, ``4.1 MB``).
        count: of a metric of layers: ``(space, images per run)`` to a function of ``(n, g)`` rows; None where
            `hwnas.space` computes it.
        of, derive: of a metric of other metrics: their columns, and their ``(n,)`` values in this order to its own.
    """

    name: str
    column: str
    direction: Direction
    unit: str = ""
    label: str = ""
    source: Source = "file"
    aliases: tuple[str, ...] = ()
    lowest: float = -math.inf
    highest: float = math.inf
    parse: Callable[[str, str], float] = parse_number
    show: Callable[[float], str] = "{:.3g}".format
    scaled: bool = False
    count: Callable[[Any, int], Any] | None = field(default=None, compare=False)
    of: tuple[str, ...] = ()
    derive: Callable[..., NDArray[np.float64]] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            remedy = f"write {self.name}:max or {self.name}:min"
            raise DataError(f"direction {self.direction!r} of {self.name}", "it is max or min", remedy)
        if not (self.source == "metrics") == bool(self.of) == (self.derive is not None) or self.column in self.of:
            rule = 'one of other metrics states source="metrics", of=(columns) and derive=function; others none of them'
            raise DataError(f"metric {self.name}", rule, "correct its entry")

    @property
    def maximise(self) -> bool:
        """Whether more is better."""
        return self.direction == "max"

    @property
    def title(self) -> str:
        """Label and unit, as an axis or a column is headed."""
        return f"{self.label} ({self.unit})" if self.unit and not self.scaled else self.label

    @property
    def device(self) -> str:
        """The device it is told for, where that is not the main one."""
        return self.column.partition("@")[2]

    def on(self, device: str) -> Metric:
        """This metric on another device: ``latency@phone``."""
        if not device:
            return self
        column, label = f"{self.column}@{device}", f"{self.label}, {device}"
        return replace(self, name=f"{self.name}@{device}", column=column, label=label)

    def text(self, value: float) -> str:
        """A value with its unit, short: ``76.41 %``, ``5.20 ms``, ``61.0M``."""
        shown = "-" if math.isnan(value) else self.show(value)
        return shown if self.scaled else f"{shown} {self.unit}".strip()

    def companion(self, what: str) -> str:
        """The column of something told beside it: ``top1_std``, ``latency_low_ms``, ``latency_measured_ms@phone``."""
        stem, at, device = self.column.partition("@")
        ending = next((f"_{end}" for end in _ENDINGS if stem.endswith(f"_{end}")), "")
        return f"{stem.removesuffix(ending)}_{what}{ending}{at}{device}"


@dataclass(frozen=True)
class Budget:
    """Bounds on a metric: ``latency <= 6 ms``, ``top1 >= 75 %``, or both ways.

    Attributes:
        metric: what is bounded.
        lower, upper: in its unit; infinite where there is no bound.
    """

    metric: Metric
    lower: float = -math.inf
    upper: float = math.inf

    def __str__(self) -> str:
        least = [f">= {self._value(self.lower)}"] if self.lower > -math.inf else []
        most = [f"<= {self._value(self.upper)}"] if self.upper < math.inf else []
        return f"{self.metric.column} {' and '.join([*least, *most])}"

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """``(n,)`` whether each value lies within the bounds."""
        within: NDArray[np.bool_] = (values >= self.lower) & (values <= self.upper)
        return within

    def within(self, other: Budget) -> Budget:
        """Both budgets at once."""
        return replace(self, lower=max(self.lower, other.lower), upper=min(self.upper, other.upper))

    def _value(self, value: float) -> str:
        return format_quantity(value, self.metric.unit)


def _two_digits(value: float) -> str:
    return f"{value:.2f}"


def _milliseconds(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _bytes(value: float) -> str:
    return format_bytes(float(f"{value:.3g}"))


def _three_digits(count: float) -> str:
    """``6.10M``, ``61.0M``, ``610M``: equally precise all down a column."""
    count = float(f"{count:.3g}")
    exponent = min((len(f"{count:.0f}") - 1) // 3, 4)
    return f"{count / 1000**exponent:#.3g}".rstrip(".") + ("", "k", "M", "G", "T")[exponent]


_KINDS: Mapping[str, dict[str, Any]] = {
    "%": {"show": _two_digits},
    "ms": {"parse": parse_latency_ms, "show": _milliseconds},
    "B": {"parse": parse_bytes, "show": _bytes, "scaled": True},
    "images/s": {"parse": parse_rate},
    "MACs": {"parse": parse_count, "show": _three_digits, "scaled": True},
    "params": {"parse": parse_count, "show": _three_digits, "scaled": True},
}
"""How values of a unit are read and printed."""

_ENDINGS = {"ms": "ms", "bytes": "B", "pct": "%"}
"""Units that the name of a column ends in."""


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
"""What a search is about where nothing else is said; the two metrics that a latency table tells; and the exported file's."""


@cache
def metrics() -> Mapping[str, Metric]:
    """Every registered metric by name: those of hwnas, then those of plug-ins under ``hwnas.metrics``.

    Raises:
        DataError: a plug-in that cannot be loaded, brings no Metric, or takes a name or column that is taken.
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
        if metric.name in found or metric.column in {m.column for m in found.values()}:
            raise DataError(where, "its name or column is taken", "rename it in the plug-in")
        found[metric.name] = metric
    return found


def registered(name: str) -> Metric | None:
    """The metric of a name or column, ``@device`` included; None if it is no registered one."""
    stem, _, device = name.strip().partition("@")
    known = metrics()
    metric = known.get(stem) or next((m for m in known.values() if m.column == stem), None)
    return metric.on(device) if metric is not None else None


def with_parts(wanted: Iterable[Metric]) -> list[Metric]:
    """Metrics, and those that they are derived from, each once."""
    found: dict[str, Metric] = {}
    for metric in wanted:
        parts = [registered(column) or own_metric(column, "min") for column in metric.of]
        found |= {each.column: each for each in (metric, *with_parts(parts))}
    return list(found.values())


def column_of(name: str) -> str:
    """The column that a user's name stands for: ``latency@phone`` is ``latency_ms@phone``."""
    metric = registered(name)
    return metric.column if metric is not None else name.strip()


def own_metric(column: str, direction: Direction) -> Metric:
    """A metric of the user's; its unit is taken from the column's ending where it tells (``_ms``, ``_bytes``, ``_pct``)."""
    stem = column.partition("@")[0]
    ending = next((end for end in _ENDINGS if stem.endswith(f"_{end}")), "")
    label = column.removesuffix(f"_{ending}") if ending else column
    return _metric(column, column, direction, _ENDINGS.get(ending, ""), label=label.replace("_", " "))


def get_metric(name: str, direction: Direction | None = None) -> Metric:
    """A registered metric by name or column, or one of the user's, whose direction must be said.

    Raises:
        DataError: a column of the user's without a direction.
    """
    metric = registered(name)
    if metric is not None:
        return metric if direction is None else replace(metric, direction=direction)
    if direction is None:
        rule, near = "hwnas does not know whether more of it is better", _near(name)
        remedy = f"write {name}:max or {name}:min" + (f", or {near} if that is meant" if near else "")
        raise DataError(f"metric {name}", rule, remedy)
    return own_metric(name, direction)


def _near(name: str) -> str | None:
    """The registered metric that a name nearly is."""
    return next(iter(get_close_matches(name, metrics(), n=1)), None)


def split_direction(text: str) -> tuple[str, Direction | None]:
    """``f1:max`` is (``f1``, ``max``); without a direction it is None. Device names may hold colons: ``latency@cuda:0``.

    Raises:
        DataError: something else than ``max`` or ``min`` behind the colon.
    """
    name, colon, direction = text.strip().rpartition(":")
    if colon and direction in DIRECTIONS:
        return name.strip(), direction
    if colon and "@" not in name:
        raise DataError(f"objective {text.strip()}", "its direction is max or min", f"write {name}:max or {name}:min")
    return text.strip(), None


_BOUND = re.compile(r"(?P<name>[^<>=]+?)\s*(?P<sign><=|>=|=|<|>)\s*(?P<value>[^<>=].*)")


_EXAMPLES = {"ms": "6ms", "MACs": "300M", "params": "5M", "B": "20MB", "images/s": "50/s", "%": "75"}
"""A value as people type it, by unit."""


_REMEDY = re.compile(r"(write (?:for example |a point: )?|did you mean )(\S+)(?: or (\S+))?")
"""Of a quantity: one value to type, or two."""


@contextmanager
def typed_behind(words: str, whole: str) -> Iterator[None]:
    """Let the error of a quantity that does not read show what was typed, and its remedy be typed as it is printed:
    ``--budget latency<=20: ...; write "latency<=20ms"``, where the quantity itself knows of ``20`` alone.

    Args:
        words: what stands before the quantity.
        whole: what was typed, with its option.
    """
    try:
        yield
    except QuantityError as error:
        remedy, said = error.remedy, _REMEDY.fullmatch(error.remedy)
        if said:
            quote = '"' if set(words) & set("<>") else ""  # a shell would redirect what is not quoted
            remedy = said[1] + " or ".join(f"{quote}{words}{value}{quote}" for value in said.groups()[1:] if value)
        raise QuantityError(whole, error.rule, remedy) from error


def parse_budget(text: str, option: str = "--budget") -> Budget:
    """A budget as typed: ``latency<=6ms``, ``top1>=75``, ``energy_mj=5``; a plain ``=`` is an upper bound.

    Raises:
        DataError: not of that form, an upper bound on what should be large, or a value that the metric cannot have.
        QuantityError: a wrong unit.
    """
    match = _BOUND.fullmatch(text.strip())
    if match is None:
        said = registered(text) or LATENCY
        example = f"{said.name}{'>=' if said.maximise else '<='}{_EXAMPLES.get(said.unit, '5')}"
        raise DataError(f"{option} {text}", "it reads COLUMN<=VALUE or COLUMN>=VALUE", f'write for example "{example}"')
    name, sign, value = match["name"].strip(), match["sign"], match["value"].strip()
    metric = registered(name) or own_metric(name, "min")
    if sign in "<>":
        raise DataError(f"{option} {text}", "bounds include their value", f'write "{name}{sign}={value}"')
    if sign == "=" and metric.maximise:
        raise DataError(f"{option} {text}", "more of this is better", f'write "{name}>={value}"')
    try:
        with typed_behind(f"{name}{sign}", f"{option} {text.strip()}"):
            number = metric.parse(value, name)
    except QuantityError as error:
        near = None if registered(name) else _near(name)
        if near is None:
            raise
        raise DataError(f"{option} {text}", error.rule, f'did you mean "{near}{sign}{value}"?') from error
    _check_bound(metric, number, f"{option} {text.strip()}", f"{name}{sign}")
    return Budget(metric, lower=number) if sign == ">=" else Budget(metric, upper=number)


def _check_bound(metric: Metric, bound: float, said: str, words: str) -> None:
    """Refuse a bound that no value reaches, or that is a fraction where values are in percent."""
    percent = metric.unit == "%" and metric.highest == 100
    is_fraction = percent and 0 < bound <= 1
    if metric.lowest <= bound <= metric.highest and not is_fraction:
        return
    value = 100 * bound if is_fraction else 0.75 * metric.highest if metric.highest < math.inf else metric.lowest
    rule = f"{metric.name} lies within {metric.lowest:g}..{metric.highest:g}"
    raise DataError(said, f"{rule}{' percent' if metric.unit == '%' else ''}", f'write for example "{words}{value:g}"')


def check_range(metric: Metric, values: NDArray[np.float64], where: str) -> None:
    """Refuse values that the metric cannot have: accuracies above 100 %, or no number.

    Args:
        metric: of the values.
        values: ``(n,)``.
        where: the column, for the message; rows count from 1.

    Raises:
        DataError: names the first row.
    """
    possible = np.isfinite(values) & (values >= metric.lowest) & (values <= metric.highest)
    if not possible.all():
        row = int(possible.argmin())
        percent = " percent" if metric.unit == "%" else ""
        within = f"{metric.name} lies within {metric.lowest:g}..{metric.highest:g}{percent}"
        rule = within if np.isfinite(values[row]) else "it is no finite number"
        raise DataError(f"row {row + 1}, {where} {values[row]:g}", rule, "correct it")


def check_values(metric: Metric, values: NDArray[np.float64], where: str) -> None:
    """As :func:`check_range`; and refuse accuracies that are written as fractions.

    Raises:
        DataError: names the first row.
    """
    check_range(metric, values, where)
    percent = metric.unit == "%" and metric.highest == 100
    if percent and len(values) and 0 < values.max() <= 1.0:
        rule = f"{metric.name} is in percent"
        raise DataError(f"column {where!r}, at most {values.max():g}", rule, "multiply it by 100")
