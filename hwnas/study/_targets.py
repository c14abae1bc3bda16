"""What is searched for: objectives and budgets, as people write them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hwnas.errors import DataError, UnknownNameError
from hwnas.metric import (
    Budget,
    Direction,
    Metric,
    column_of,
    get_metric,
    metrics,
    own_metric,
    parse_budget,
    registered,
    split_direction,
    typed_behind,
)

Bound = str | float | Budget
"""``"6ms"``, a number in the metric's own unit, or a Budget."""


@dataclass(frozen=True)
class Objectives:
    """What to trade off.

    Attributes:
        columns: in order.
        renamed: column of a file to the name it goes by here.
        directions: what was said of each column.
    """

    columns: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    directions: Mapping[str, Direction] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Iterable[str | Metric], said: str = "objectives") -> Objectives:
        """Objectives of ``["top1", "energy_mj:min", "latency=raspi4"]``.

        Raises:
            DataError: one is named twice, or none, or a direction that is none.
        """
        columns, renamed = [], {}
        directions: dict[str, Direction] = {}
        for item in items:
            if isinstance(item, Metric):
                columns.append(item.column)
                directions[item.column] = item.direction
                continue
            name, equals, source = item.partition("=")
            if (equals and not source.strip()) or name.rstrip().endswith("@"):
                rule = "nothing stands behind its = or @"
                raise DataError(f"objective {item.strip()}", rule, f"write {name.strip().rstrip('@')}")
            name, direction = split_direction(name)
            column = column_of(name)
            if item.strip():
                columns.append(column)
            if direction is not None:
                directions[column] = direction
            if equals:
                renamed[source.strip()] = column
        if not columns or len(set(columns)) < len(columns):
            raise DataError(said, "it names each objective once", "write for example macs,latency")
        return cls(tuple(columns), renamed, directions)

    def metric(self, column: str) -> Metric:
        """The metric of a column.

        Raises:
            DataError: one of the user's, without a direction.
        """
        return get_metric(column, self.directions.get(column))


@dataclass(frozen=True)
class Budgets:
    """Budgets by what they bound.

    Attributes:
        ms: upper bounds on latency by name of the device as typed; None is the main one.
        per_s: lower bounds on throughput, likewise.
        others: by column: counts, bytes, accuracies, and whatever files tell.
    """

    ms: dict[str | None, float] = field(default_factory=dict)
    per_s: dict[str | None, float] = field(default_factory=dict)
    others: dict[str, Budget] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Iterable[tuple[str, Budget]]) -> Budgets:
        """Budgets with how each was written.

        Raises:
            DataError: two of one kind on one metric, or one that bounds a device the wrong way.
        """
        budgets = cls()
        for said, budget in given:
            if budget.metric.source == "device":
                budgets._add_timed(said, budget)
            else:
                budgets._add(said, budget)
        return budgets

    @property
    def devices(self) -> list[str | None]:
        """Every device with a budget, in order."""
        return list(dict.fromkeys([*self.ms, *self.per_s]))

    def _add_timed(self, said: str, budget: Budget) -> None:
        metric = budget.metric
        if (budget.upper < math.inf) == metric.maximise:
            sign = ">=" if metric.maximise else "<="
            raise DataError(said, "the other way round it would bound nothing", f"write it with {sign}")
        known, bound = (self.per_s, budget.lower) if metric.maximise else (self.ms, budget.upper)
        if (metric.device or None) in known:
            raise DataError(said, "this device has two budgets", "keep one")
        known[metric.device or None] = bound

    def _add(self, said: str, budget: Budget) -> None:
        column = budget.metric.column
        known = self.others.get(column)
        if known is not None and (
            max(known.upper, budget.upper) < math.inf or min(known.lower, budget.lower) > -math.inf
        ):
            raise DataError(said, f"{column} has two budgets", "keep one")
        self.others[column] = budget if known is None else known.within(budget)


def budgets_of(given: Mapping[str, Bound] | Sequence[str | Budget]) -> Budgets:
    """Budgets of ``{"latency": "6ms", "top1": 75}`` or ``["latency<=6ms", "top1>=75"]``.

    A bare value bounds the metric on its bad side: accuracy from below, latency from above.

    Raises:
        QuantityError: a text without its unit. DataError: as Budgets.of.
    """
    if not isinstance(given, Mapping):
        return Budgets.of((str(b), b if isinstance(b, Budget) else parse_budget(b, "budget")) for b in given)
    return Budgets.of((f"budget {name}", _bound(name, value)) for name, value in given.items())


def _bound(name: str, value: Bound) -> Budget:
    if isinstance(value, Budget):
        return value
    metric = registered(name) or own_metric(name, "min")
    if isinstance(value, str) and value.lstrip().startswith(("<=", ">=", "=")):
        return parse_budget(f"{name}{value.strip()}", "budget")
    number = metric.parse(value, f"budget {name}") if isinstance(value, str) else float(value)
    return Budget(metric, lower=number) if metric.maximise else Budget(metric, upper=number)


def parse_objectives(text: str) -> Objectives:
    """Objectives of ``top1,latency``, of ``f1_macro:max,energy_mj:min`` and of ``top1=accuracy,latency=raspi4``."""
    return Objectives.of(text.split(","), f"--objectives {text}")


def parse_timed(text: str, metric: Metric) -> tuple[str, Budget]:
    """A budget of ``20ms`` or ``DEVICE=20ms``, as ``--latency`` and ``--throughput`` take it.

    Raises:
        QuantityError: a bare number, a wrong unit. DataError: no device before the ``=``.
    """
    option = f"--{metric.name}"
    device, equals, value = text.rpartition("=")
    if equals and not device.strip():
        usual = {"ms": "20ms", "images/s": "50/s"}[metric.unit]
        rule = "no device stands before the equals sign"
        raise DataError(f"{option} {text}", rule, f"write {option} {value.strip() or usual}")
    with typed_behind(f"{device}{equals}"):
        number = metric.parse(value, f"{option} {device}" if equals else option)
    on = metric.on(device.strip())
    return f"{option} {text}", Budget(on, lower=number) if metric.maximise else Budget(on, upper=number)


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
    told = [metric.name for metric in metrics().values() if layers and metric.source != "file"]
    known = [*given, *told]
    for column in columns:
        metric = registered(column)
        of_layers = metric is not None and layers and metric.source != "file"
        if column in known or (of_layers and metric is not None and (not metric.device or metric.source == "device")):
            continue
        raise UnknownNameError(kind, column, list(dict.fromkeys(known)))
