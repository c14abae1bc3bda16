"""A search problem from options: files read, tables found, budgets and objectives in their columns."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.cli._asked import (
    LATENCY,
    RATE,
    Asked,
    Bounds,
    Objectives,
    check_names,
    parse_bounds,
    parse_budgets,
    parse_objectives,
)
from hwnas.cli._given import Given, read_given
from hwnas.cli._inputs import Found, find_predictor, find_table, narrowed
from hwnas.cli._problem import Metrics
from hwnas.errors import DataError

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable
    from hwnas.predictor import Predictor
    from hwnas.search import Problem
    from hwnas.space import SearchSpace

USUAL = "cpu"
MOST = 4


@dataclass(frozen=True)
class Task:
    """What to search for.

    Attributes:
        metrics: all there is.
        wanted: columns of the objectives, in order.
        budgets: upper bounds by column.
        table, accuracy: where latency and accuracy come from.
        others: tables of further devices.
        given: the user's files.
        notes: what the user should know.
    """

    metrics: Metrics
    wanted: tuple[str, ...]
    budgets: dict[str, float]
    table: Found[LatencyTable] | None
    accuracy: Found[Predictor] | None
    others: Mapping[str, Found[LatencyTable]]
    given: Given
    notes: tuple[str, ...]

    def problem(self) -> Problem:
        """The problem, its budgets checked.

        Raises:
            InfeasibleError: a budget that no subnet meets.
        """
        problem = self.metrics.problem(self.wanted, self.budgets)
        problem.refuse_infeasible()
        return problem

    @property
    def facts(self) -> dict[str, Any]:
        """For the provenance: where the metrics come from."""
        facts: dict[str, Any] = {
            "device": self.table.facts if self.table else None,
            "predictor": self.accuracy.facts if self.accuracy else None,
        }
        if self.others:
            facts["devices"] = {name: found.facts for name, found in self.others.items()}
        if self.given.facts:
            facts["files"] = self.given.facts
        return facts


def prepare(asked: Asked, of: SearchSpace | None = None) -> Task:
    """Read and find everything that options name; budgets that need no table are checked before one is profiled.

    Args:
        asked: the options.
        of: a space whose accuracies are measured: then no predictor is looked for.

    Raises:
        HwnasError: whatever does not fit, in one line.
    """
    objectives = parse_objectives(asked.objectives) if asked.objectives is not None else None
    bounds, budgets = parse_bounds(asked.latency, asked.throughput), parse_budgets(asked)
    given = read_given(asked, objectives, of)
    layers = bool(given.space.slots)
    check_names("budget", budgets, given.columns, layers=layers)
    if objectives is not None:
        check_names("objective", objectives.columns, given.columns, layers=layers)
    _refuse_infeasible_counts(given, budgets, asked.batch or 1)
    devices = _Devices.of(asked, bounds, objectives) if layers else None
    wanted = _wanted(objectives, devices, given)
    if devices is None:
        budgets |= _untimed(bounds, given)
    needs_top1 = "top1" in (*wanted, *budgets) and "top1" not in given.columns
    accuracy = find_predictor(given.space, asked.predictor) if needs_top1 and of is None else None
    table, others = None, {}
    if devices is not None and (bounds.devices or devices.timed(wanted)):
        table = find_table(
            given.space, devices.main, threads=asked.threads, batch=asked.batch, precision=asked.precision
        )
        others = {name: _other_table(given.space, device, asked) for name, device in devices.others.items()}
    metrics, notes = narrowed(given.space, accuracy, table, batch=asked.batch, others=others)
    metrics = replace(metrics, given=given.columns, rates=bool(bounds.per_s) or any(c.startswith(RATE) for c in wanted))
    if asked.tables:  # of the many columns of a table only those that were named are of interest
        named = {name: fn for name, fn in given.columns.items() if name in wanted or name in budgets}
        metrics = replace(metrics, given=named)
    if devices is not None:
        for column, upper in devices.budgets(bounds, metrics, others).items():
            budgets[column] = min(upper, budgets.get(column, upper))
    # The front of throughput is that of latency, which is a sum: it is searched in its place.
    wanted = tuple(dict.fromkeys(name.replace(RATE, LATENCY) for name in wanted))
    told = _told_of_precision(table) if needs_top1 else ()
    return Task(metrics, wanted, budgets, table, accuracy, others, given, (*notes, *told))


def _told_of_precision(table: Found[LatencyTable] | None) -> tuple[str, ...]:
    """Accuracies are those of fp32 weights, whatever the device computes in."""
    if table is None or table.it.device.precision == "fp32":
        return ()
    computed = table.it.device.precision
    measure = f"`hwnas export --precision {computed} --images N` measures what is lost"
    return (f"latency is of {computed}, top1 of fp32 weights: {measure}",)


@dataclass(frozen=True)
class _Devices:
    """``main`` tells ``latency_ms``; ``others``, by the names they have in columns, tell ``latency_ms@name``."""

    main: str
    others: Mapping[str, str]

    @classmethod
    def of(cls, asked: Asked, bounds: Bounds, objectives: Objectives | None) -> _Devices:
        named = [device for device in bounds.devices if device is not None]
        main = asked.device or (named[0] if named and None not in bounds.devices else USUAL)
        others: dict[str, str] = {}
        in_columns = [c.partition("@")[2] for c in (objectives.columns if objectives else ()) if "@" in c]
        known = {_short(device) for device in (main, *named)}
        for device in dict.fromkeys([*named, *(name for name in in_columns if name not in known)]):
            if device == main:
                continue
            if _short(device) in (*others, _short(main)):
                raise DataError(f"device {device}", f"another one is called {_short(device)} too", "rename its folder")
            others[_short(device)] = device
        return cls(main, others)

    def column(self, stem: str, device: str | None) -> str:
        """The column of a metric on a device, as the user calls it."""
        name = _short(device) if device is not None else _short(self.main)
        return stem if name == _short(self.main) else f"{stem}@{name}"

    def timed(self, wanted: Sequence[str]) -> bool:
        return bool(self.others) or any(name.startswith((LATENCY, RATE)) for name in wanted)

    def budgets(self, bounds: Bounds, metrics: Metrics, others: Mapping[str, Found[LatencyTable]]) -> dict[str, float]:
        """All bounds as latencies in ms: so many images per second are so many milliseconds per batch."""
        budgets: dict[str, float] = {}
        for device, ms in bounds.ms.items():
            column = self.column(LATENCY, device)
            if column in budgets:
                raise DataError(f"--latency {device}", f"{self.main} has two budgets", "keep one")
            budgets[column] = ms
        for device, rate in bounds.per_s.items():
            column = self.column(LATENCY, device)
            found = others.get(column.partition("@")[2])
            batch = (found.it.device.batch or 1) if found is not None else metrics.batch
            budgets[column] = min(1e3 * batch / rate, budgets.get(column, float("inf")))
        return budgets


def _short(device: str) -> str:
    """What a device is called in columns: of a path the last part."""
    return Path(device).name.partition(".")[0] or device


def _wanted(objectives: Objectives | None, devices: _Devices | None, given: Given) -> tuple[str, ...]:
    """Columns of the objectives; by default accuracy against the latency of every device that is named."""
    if objectives is not None:
        if devices is None:
            return objectives.columns
        own = f"@{_short(devices.main)}"
        return tuple(dict.fromkeys(name.removesuffix(own) for name in objectives.columns))
    if devices is not None:
        return ("top1", LATENCY, *(f"{LATENCY}@{name}" for name in devices.others))[:MOST]
    if len(given.columns) > MOST:
        listed = ", ".join(given.columns)
        raise DataError("objectives", f"the table has the columns {listed}", "name some: --objectives top1=A,latency=B")
    return tuple(given.columns)[:2]


def _untimed(bounds: Bounds, given: Given) -> dict[str, float]:
    """Latency budgets where there are no layers: they are on a column of the user's."""
    if bounds.per_s or any(device is not None for device in bounds.ms):
        raise DataError("--throughput, --latency DEVICE=", "a space from a table has no devices", "pass --latency TIME")
    if bounds.ms and LATENCY not in given.columns:
        raise DataError(
            "--latency", f"the table has no column {LATENCY}", f"name one: --objectives ...,{LATENCY}=COLUMN"
        )
    return {LATENCY: bounds.ms[None]} if bounds.ms else {}


def _other_table(space: SearchSpace, device: str, asked: Asked) -> Found[LatencyTable]:
    """Conditions on the command line are those of this machine's devices; a table by name has its own."""
    from hwnas.latency import PROVIDERS

    here = asked if device.partition(":")[0] in PROVIDERS else replace(asked, threads=None, batch=None, precision=None)
    return find_table(space, device, threads=here.threads, batch=here.batch, precision=here.precision)


def _refuse_infeasible_counts(given: Given, budgets: Mapping[str, float], batch: int) -> None:
    """Budgets that need no latency table are checked first: one may take minutes to profile."""
    early = {name: upper for name, upper in budgets.items() if name.partition("@")[0] not in (LATENCY, "top1")}
    if early:
        metrics = Metrics(given.space, None, None, batch, given=given.columns)
        metrics.problem([next(iter(early))], early).refuse_infeasible()
