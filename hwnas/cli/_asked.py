"""What a search is asked for, as typed: names of metrics, budgets with their units, devices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwnas.errors import DataError, UnknownNameError
from hwnas.quantity import parse_bytes, parse_count, parse_latency_ms, parse_number, parse_rate

LATENCY, RATE = "latency_ms", "images_per_s"

COLUMNS = {
    "top1": "top1",
    "latency": LATENCY,
    "throughput": RATE,
    "macs": "macs",
    "params": "params",
    "memory": "memory_bytes",
}
"""What users may name, and the column it stands for; ``latency@phone`` is that of the device ``phone``."""

UNITS = {"top1": "%", LATENCY: "ms", RATE: "images/s", "macs": "MACs", "params": "params", "memory_bytes": "B"}
MAXIMISED = ("top1", "score")
_ENDINGS = {"_ms": "ms", "_bytes": "B", "_pct": "%"}
_PARSERS = {"ms": parse_latency_ms, "MACs": parse_count, "params": parse_count, "B": parse_bytes}


def column_of(name: str) -> str:
    """The column that a user's name stands for: ``latency@phone`` is ``latency_ms@phone``."""
    stem, at, device = name.strip().partition("@")
    return COLUMNS.get(stem, stem) + at + device


def unit_of(column: str) -> str:
    """The unit of a column; empty where its name does not tell."""
    stem = column.partition("@")[0]
    return UNITS.get(stem) or next((unit for end, unit in _ENDINGS.items() if stem.endswith(end)), "")


@dataclass(frozen=True)
class Asked:
    """Options that say what to search for, as typed.

    Attributes:
        space: name of the space.
        objectives: ``top1,latency``; None for the usual ones.
        latency, throughput: ``TIME`` of the main device or ``DEVICE=TIME``.
        macs, params, memory: budgets.
        budget: ``COLUMN=VALUE``.
        device: the main device; None if it was not named.
        predictor: file, or None for the one that ships.
        fix: ``GENE=VALUE``.
        library: a CSV that is the space.
        tables: CSVs with metrics of every subnet.
        costs: CSVs with metrics of every layer.
        threads, batch, precision: conditions of the device.
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


@dataclass(frozen=True)
class Bounds:
    """Budgets of a device, by name of the device as typed; None is the main one."""

    ms: dict[str | None, float] = field(default_factory=dict)
    per_s: dict[str | None, float] = field(default_factory=dict)

    @property
    def devices(self) -> list[str | None]:
        return list(dict.fromkeys([*self.ms, *self.per_s]))


def parse_bounds(latency: Iterable[str], throughput: Iterable[str]) -> Bounds:
    """Latency and throughput budgets.

    Raises:
        QuantityError: a bare number, a wrong unit.
        DataError: a device with two budgets of one kind.
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
            if name in found:
                raise DataError(f"{option} {text}", "this device has two budgets", "keep one")
            found[name] = parse(value, f"{option} {device}" if equals else option)
    return bounds


def parse_budgets(asked: Asked) -> dict[str, float]:
    """Upper bounds by column that no device is needed for: plain counts, bytes, and whatever files tell.

    Raises:
        QuantityError: a bare number, a wrong unit.
        DataError: not COLUMN=VALUE, or two budgets for a column.
    """
    given = [
        (column_of(option), text, f"--{option}")
        for option, text in (("macs", asked.macs), ("params", asked.params), ("memory", asked.memory))
        if text is not None
    ]
    for item in asked.budget:
        name, equals, text = item.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise DataError(f"--budget {item}", "it reads COLUMN=VALUE", "write for example --budget energy_mj=5")
        column = column_of(name)
        stem, _, device = column.partition("@")
        if stem in (LATENCY, RATE):
            option = (
                f"--{name.strip().partition('@')[0].removesuffix('_ms')} " + (f"{device}=" if device else "") + text
            )
            raise DataError(f"--budget {item}", "it has an option of its own", f"write {option}")
        given.append((column, text, f"--budget {name.strip()}"))
    budgets: dict[str, float] = {}
    for column, text, option in given:
        if column in MAXIMISED:
            rule = "a budget is an upper bound, and more of this is better"
            raise DataError(f"{option}={text}", rule, f"make it an objective: --objectives {column},...")
        if column in budgets:
            raise DataError(f"{option} {text}", f"{column} has two budgets", "keep one")
        budgets[column] = _PARSERS.get(unit_of(column), parse_number)(text, option)
    return budgets


@dataclass(frozen=True)
class Objectives:
    """What to trade off.

    Attributes:
        columns: in order.
        renamed: column of a file to the name it goes by here.
    """

    columns: tuple[str, ...]
    renamed: dict[str, str]


def parse_objectives(text: str) -> Objectives:
    """Columns of ``top1,latency`` and of ``top1=accuracy,latency=raspi4``.

    Raises:
        DataError: one is named twice, or none.
    """
    columns, renamed = [], {}
    for item in (part.strip() for part in text.split(",")):
        name, equals, source = item.partition("=")
        if item:
            columns.append(column_of(name))
        if equals:
            renamed[source.strip()] = column_of(name)
    if not columns or len(set(columns)) < len(columns):
        raise DataError(f"--objectives {text}", "it names each objective once", "write for example top1,latency")
    return Objectives(tuple(columns), renamed)


def check_names(kind: str, columns: Iterable[str], given: Iterable[str], *, layers: bool) -> None:
    """Refuse a metric that there is not.

    Args:
        kind: what the columns are, for the message.
        columns: what is asked for.
        given: what files tell.
        layers: whether the space has layers, so that hwnas can tell their costs.

    Raises:
        UnknownNameError: suggests the nearest.
    """
    known = [*given, *(COLUMNS if layers else ())]
    for column in columns:
        stem, at, _ = column.partition("@")
        if column not in known and not (layers and stem in COLUMNS.values() and (not at or stem in (LATENCY, RATE))):
            raise UnknownNameError(kind, column, known)
