"""Objectives in the form that people write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hwnas.arguments import parts_of
from hwnas.errors import DataError, UnknownNameError
from hwnas.metric import Direction, Metric, column_of, get_metric, metrics, registered, split_direction


@dataclass(frozen=True)
class Objectives:
    """The objectives of a search.

    Attributes:
        columns: columns in order.
        renamed: the objective's column by the column of a file that holds it.
        directions: stated directions by column.
    """

    columns: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    directions: Mapping[str, Direction] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Iterable[str | Metric], said: str = "objectives") -> Objectives:
        """Parse objectives such as ``["top1", "energy_mj:min", "latency=raspi4"]``.

        Raises:
            DataError: an objective is named twice, there is none, or a direction is not ``max`` or ``min``.
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
        if not columns:
            raise DataError(said, "there is none", "write for example macs,latency")
        if len(set(columns)) < len(columns):
            raise DataError(said, "it names each objective once", "write for example macs,latency")
        return cls(tuple(columns), renamed, directions)

    @property
    def said(self) -> list[str]:
        """Each column as text, with its direction if one was stated."""
        return [
            f"{column}:{self.directions[column]}" if column in self.directions else column for column in self.columns
        ]

    def metric(self, column: str) -> Metric:
        """The metric of a column.

        Raises:
            DataError: it is the user's own metric, and has no direction.
        """
        return get_metric(column, self.directions.get(column))


def parse_objectives(text: str) -> Objectives:
    """Parse ``top1,latency``, ``f1_macro:max,energy_mj:min`` or ``top1=accuracy,latency=raspi4``."""
    return Objectives.of(parts_of(text, "--objectives "), f"--objectives {text}")


def check_names(kind: str, columns: Iterable[str], given: Iterable[str], *, layers: bool, timing: str = "") -> None:
    """Refuse metrics that cannot be known here.

    Args:
        kind: kind of the columns, for the message.
        columns: columns asked for.
        given: columns of files and predictors.
        layers: whether the space has layers, whose costs hwnas computes.
        timing: how to get a file with latency, for the message.

    Raises:
        UnknownNameError: a metric is not known; the message suggests the nearest.
    """
    derived = [metric.name for metric in metrics().values() if metric.source == "metrics"]
    computed = [metric.name for metric in metrics().values() if layers and metric.source not in ("file", "metrics")]
    known = [*given, *derived, *computed]
    for column in columns:
        metric = registered(column)
        of_layers = metric is not None and layers and metric.source != "file"
        if column in known or (of_layers and metric is not None and (not metric.device or metric.source == "device")):
            continue
        timed = metric is not None and metric.source == "device"
        raise UnknownNameError(kind, column, list(dict.fromkeys(known)), timing if timed else "")
