"""What a search is asked for, as typed: names of metrics, budgets with their units, devices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwnas.errors import DataError, UnknownNameError
from hwnas.metric import (
    Budget,
    Direction,
    Metric,
    column_of,
    get_metric,
    metrics,
    parse_budget,
    registered,
    split_direction,
)
from hwnas.quantity import parse_latency_ms, parse_rate


@dataclass(frozen=True)
class Asked:
    """Options that say what to search for, as typed.

    Attributes:
        space: name of the space.
        objectives: ``f1:max,latency``; None for the usual ones.
        latency, throughput: ``TIME`` of the main device or ``DEVICE=TIME``.
        macs, params, memory: budgets.
        budget: ``COLUMN<=VALUE`` or ``COLUMN>=VALUE``.
        device: the main device; None if it was not named.
        predictor: file, or None for the one that ships.
        fix: ``GENE=VALUE``.
        library: a CSV that is the space.
        tables: CSVs with metrics of every subnet.
        costs: CSVs with metrics of every layer.
        threads, batch, precision: conditions of the device.
        as_is: trust a latency table by its name, and measure nothing.
    """

    space: str
    objectives: str | None = None
    latency: Sequence[str] = ()
    throughput: Sequence[str] = ()
    macs: str | None = None
    params: str | None = None
    memory: str | None = None
    budget: Sequence[str] = ()
    device: str | None = None
    predictor: str | None = None
    fix: Sequence[str] = ()
    library: Path | None = None
    tables: Sequence[Path] = ()
    costs: Sequence[Path] = ()
    threads: int | None = None
    batch: int | None = None
    precision: str | None = None
    as_is: bool = False


@dataclass(frozen=True)
class Bounds:
    """Budgets of a device, by name of the device as typed; None is the main one."""

    ms: dict[str | None, float] = field(default_factory=dict)
    per_s: dict[str | None, float] = field(default_factory=dict)

    @property
    def devices(self) -> list[str | None]:
        return list(dict.fromkeys([*self.ms, *self.per_s]))


def parse_bounds(latency: Iterable[str], throughput: Iterable[str], budget: Iterable[str] = ()) -> Bounds:
    """Latency and throughput budgets: of their own options, and of ``--budget``.

    Raises:
        QuantityError: a bare number, a wrong unit.
        DataError: a device with two budgets of one kind, or a bound the wrong way.
    """
    bounds = Bounds()
    for option, texts, parse, found in (
        ("--latency", latency, parse_latency_ms, bounds.ms),
        ("--throughput", throughput, parse_rate, bounds.per_s),
    ):
        for text in texts:
            device, equals, value = text.rpartition("=")
            name = device.strip() if equals else None
            if name == "":
                raise DataError(f"{option} {text}", "it reads DEVICE=BUDGET", f"write for example {option} cpu=20ms")
            _once(found, name, f"{option} {text}")
            found[name] = parse(value, f"{option} {device}" if equals else option)
    for text in budget:
        given = parse_budget(text)
        if given.metric.source != "device":
            continue
        if (given.upper < math.inf) == given.metric.maximise:
            sign = ">=" if given.metric.maximise else "<="
            raise DataError(f"--budget {text}", "the other way round it would bound nothing", f"write it with {sign}")
        known, bound = (bounds.per_s, given.lower) if given.metric.maximise else (bounds.ms, given.upper)
        _once(known, given.metric.device or None, f"--budget {text}")
        known[given.metric.device or None] = bound
    return bounds


def _once(found: Mapping[str | None, float], device: str | None, option: str) -> None:
    if device in found:
        raise DataError(option, "this device has two budgets", "keep one")


def parse_budgets(asked: Asked) -> dict[str, Budget]:
    """Budgets by column that no device is needed for: plain counts, bytes, and whatever files tell.

    Raises:
        QuantityError: a bare number, a wrong unit.
        DataError: not COLUMN<=VALUE, or two budgets for a column.
    """
    given: list[tuple[Budget, str]] = []
    for name, text in (("macs", asked.macs), ("params", asked.params), ("memory", asked.memory)):
        if text is not None:
            metric = get_metric(name)
            given.append((Budget(metric, upper=metric.parse(text, f"--{name}")), f"--{name} {text}"))
    given += [(parse_budget(text), f"--budget {text}") for text in asked.budget]
    budgets: dict[str, Budget] = {}
    for budget, option in given:
        column = budget.metric.column
        if budget.metric.source == "device":
            continue
        known = budgets.get(column)
        if known is not None and (min(known.upper, budget.upper) < math.inf) == (
            max(known.lower, budget.lower) == -math.inf
        ):
            raise DataError(option, f"{column} has two budgets", "keep one")
        budgets[column] = budget if known is None else known.within(budget)
    return budgets


@dataclass(frozen=True)
class Objectives:
    """What to trade off.

    Attributes:
        columns: in order.
        renamed: column of a file to the name it goes by here.
        directions: what was said of each column.
    """

    columns: tuple[str, ...]
    renamed: dict[str, str]
    directions: dict[str, Direction]

    def metric(self, column: str) -> Metric:
        """The metric of a column.

        Raises:
            DataError: one of the user's, without a direction.
        """
        return get_metric(column, self.directions.get(column))


def parse_objectives(text: str) -> Objectives:
    """Columns of ``top1,latency``, of ``f1_macro:max,energy_mj:min`` and of ``top1=accuracy,latency=raspi4``.

    Raises:
        DataError: one is named twice, or none, or a direction that is none.
    """
    columns, renamed = [], {}
    directions: dict[str, Direction] = {}
    for item in (part.strip() for part in text.split(",")):
        name, equals, source = item.partition("=")
        name, direction = split_direction(name)
        column = column_of(name)
        if item:
            columns.append(column)
        if direction is not None:
            directions[column] = direction
        if equals:
            renamed[source.strip()] = column
    if not columns or len(set(columns)) < len(columns):
        raise DataError(f"--objectives {text}", "it names each objective once", "write for example macs,latency")
    return Objectives(tuple(columns), renamed, directions)


def check_names(kind: str, columns: Iterable[str], given: Iterable[str], *, layers: bool) -> None:
    """Refuse a metric that there is not.

    Args:
        kind: what the columns are, for the message.
        columns: what is asked for.
        given: what files and predictors tell.
        layers: whether the space has layers, so that hwnas can tell their costs.

    Raises:
        UnknownNameError: suggests the nearest.
    """
    told = [metric for metric in metrics().values() if layers and metric.source != "file"]
    known = [*given, *(metric.name for metric in told)]
    for column in columns:
        metric = registered(column)
        if column in known or (
            metric is not None
            and layers
            and metric.source != "file"
            and (not metric.device or metric.source == "device")
        ):
            continue
        raise UnknownNameError(kind, column, known)
