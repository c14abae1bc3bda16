"""What a command works with: the accuracy predictor and the latency table, and what both cover."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hwnas.errors import DeviceError, UnknownNameError
from hwnas.files import check_writable
from hwnas.metric import QUALITY
from hwnas.progress import notice, progress, resumable
from hwnas.quantity import listed
from hwnas.study._metrics import Metrics

if TYPE_CHECKING:
    from hwnas.latency import Device as LatencyDevice
    from hwnas.latency import LatencyTable
    from hwnas.predictor import Predictor
    from hwnas.space import SearchSpace

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """Something to compute with, and what the provenance says of it."""

    it: T
    facts: Mapping[str, Any]


ON_THE_SPOT = (160, 192, 224)
"""Resolutions profiled where there is no table yet and none are asked for: minutes, not an hour."""


def find_predictor(space: SearchSpace, name: str | None, *, required: bool = True) -> Found[Predictor] | None:
    """The predictor in a file, or the one that ships for the space; None if none ships and none is required.

    Raises:
        PredictorError, UnknownNameError: as ``get_predictor``.
    """
    from hwnas.predictor import embedded_names, embedded_path, get_predictor
    from hwnas.report import file_hash

    if name is None and not required and space.name not in embedded_names():
        return None
    predictor = get_predictor(name, space)
    embedded = name is None or not Path(name).exists()
    path = embedded_path(name or space.name) if embedded else Path(str(name))
    card = predictor.card
    facts = {
        "name": f"hwnas's predictor of {space.name}" if embedded else path.name,
        "kind": predictor.kind,
        "metric": card.metric,
        "sha256": file_hash(path),
        "source": card.notes,
        "data": list(card.data),
        "scores": dict(card.scores),
    }
    return Found(predictor, facts)


def find_table(
    space: SearchSpace,
    device: str,
    *,
    threads: int | None,
    batch: int | None,
    precision: str | None,
    as_is: bool = False,
) -> Found[LatencyTable]:
    """The table of a device of this machine; or the table of a name or path, as it is.

    Of this machine it is checked on a few whole subnets, and adapted if it does not hold, or if it is of a like device;
    where there is none, or adapting is not enough, the device is profiled now.

    Args:
        space: what the table must cover some of.
        device: ``cpu``, ``cuda:0``; the name of a table; a folder with one, or with tables that OFA published.
        threads, batch: conditions; with a table by name they must be its own.
        precision: what networks compute in; by default fp32, or what a table by name has.
        as_is: trust a table of this machine by its name.

    Raises:
        UnknownNameError: neither; suggests the nearest.
        DeviceError: a provider that is not installed, or conditions other than the table's.
        TableError: a table that cannot be read.
    """
    from hwnas import latency

    if device.partition(":")[0] in latency.PROVIDERS and not Path(device).exists():
        wanted, computed = latency.get_device(device, threads=threads or 1, batch=batch or 1), precision or "fp32"
        latency.check_precision(wanted, computed)
        table, told = _as_found(wanted, space, computed) if as_is else _checked(wanted, space, computed)
    else:
        table, told = _named_table(device, space, precision), AS_IS
        for what, asked in {"threads": threads, "batch": batch}.items():
            has = getattr(table.device, what)
            if asked is not None and asked != has:
                raise DeviceError(
                    f"--{what} {asked}", f"latency table {device} was made with {has or 'unknown'}", f"drop --{what}"
                )
        if precision is not None and precision not in table.precisions:
            has, remedy = " and ".join(table.precisions) or "no rows", "drop --precision"
            if table.device.provider:
                latency.check_precision(table.device, precision)
                remedy += f", or profile it: {latency.profile_command(table.device, space.name, precision)}"
            raise DeviceError(f"--precision {precision}", f"latency table {device} has {has}", remedy)
        if latency.misfits(table) == [] and not as_is:
            table, told = _checked(table.device, space, table.precision, table)
        else:
            _say_doubts(table, space)
    _say_estimated(table, space)
    return Found(table, {**table_facts(table, space), "trust": told})


AS_IS, PROFILED = {"verdict": "as is"}, {"verdict": "profiled"}
"""What the provenance says of a table that was not checked, and of one that was made on the spot."""


def _as_found(device: LatencyDevice, space: SearchSpace, precision: str) -> tuple[LatencyTable, Mapping[str, Any]]:
    from hwnas import latency

    table = latency.find_table_for(device, space, precision)
    if table is None:
        return _first_profiled(device, space, precision), PROFILED
    _say_doubts(table, space)
    return table, AS_IS


def _checked(
    device: LatencyDevice, space: SearchSpace, precision: str, table: LatencyTable | None = None
) -> tuple[LatencyTable, Mapping[str, Any]]:
    """The table that is named or the nearest one, once whole subnets have told what it is worth here; and what they told."""
    from hwnas import latency

    with resumable("what was measured is kept"), progress("checking the latency table") as advance:
        found = latency.trusted(device, space, precision=precision, table=table, progress=advance)
    if found is None:
        return _first_profiled(device, space, precision), PROFILED
    notice(found.words)
    return (_profiled(device, space, precision) if found.verdict == "unlike" else found.table), found.facts


def _say_estimated(table: LatencyTable, space: SearchSpace) -> None:
    """One line where a layer's time is that of a like one."""
    estimated = table.estimated(space)
    if estimated and space.base is not None:
        more = f" and {len(estimated) - 1} more" if len(estimated) > 1 else ""
        notice(
            f"{table.name} has {space.base.name}: the time of {estimated[0]}{more} is estimated from its classifier's"
        )


def _say_doubts(table: LatencyTable, space: SearchSpace) -> None:
    """One line where a table may not tell the times of this machine, and what to do about it."""
    from hwnas import latency

    found = latency.doubts(table, table.about(space))
    if not found:
        return
    there = " there" if latency.misfits(table) else ""
    notice(f"latency table {table.name}: {', '.join(found)}; renew it{there}: {latency.renewal(table, space)}")


def _named_table(name: str, space: SearchSpace, precision: str | None) -> LatencyTable:
    from hwnas import latency

    path = Path(name)
    if (path.is_dir() and not (path / "table.csv").exists() and not (path / "device.json").exists()) or (
        path.is_file() and path.name not in ("table.csv", "device.json")
    ):
        return latency.read_published(path, path.name.partition(".")[0], space)
    try:
        return latency.find_table(name, precision)
    except UnknownNameError as error:
        raise UnknownNameError("device", name, [*latency.PROVIDERS, *error.known]) from error


def table_facts(table: LatencyTable, space: SearchSpace) -> dict[str, Any]:
    """What the provenance says of a table."""
    from hwnas.report import file_hash

    about = table.about(space)
    return {
        "name": f"latency table {table.label}",
        "id": table.device.id,
        "precision": table.precision,
        "path": str(table.path) if table.path else None,
        "sha256": file_hash(table.path / "table.csv") if table.path else table.digest,
        "conditions": table.device.to_json(),
        "date": about.get("date"),
        "method": about.get("method"),
        "validation": table.validation(space),
        "estimated": table.estimated(space),
        "interval": about.get("interval"),
        "elsewhere": about.get("elsewhere", {}),
        "space": space.base.name if space.base is not None and space.name not in table.spaces else space.name,
        "anchor": about.get("anchor"),
    }


def _first_profiled(device: LatencyDevice, space: SearchSpace, precision: str) -> LatencyTable:
    """A table made on the spot, where there was none.

    Raises:
        DeviceError: the machine is busy, so it would tell of what else runs.
    """
    from hwnas import latency

    load = latency.machine_load(device, _few_resolutions(space), precision)
    if load.busy:
        remedy = "stop what else runs here and try again, or name a table: --device NAME, as `hwnas devices` lists them"
        rule = f"it has no latency table, and this machine is too busy to make one: {load.words}"
        raise DeviceError(f"device {device.label(precision)}", rule, remedy)
    notice(f"no latency table of {device.label(precision)} yet")
    return _profiled(device, space, precision)


def _profiled(device: LatencyDevice, space: SearchSpace, precision: str) -> LatencyTable:
    """A table made on the spot, kept below ``latency_tables/`` for the next search."""
    from hwnas.latency import Load, profile, renewal, summary

    part = _few_resolutions(space)
    folder = Path("latency_tables") / device.id
    check_writable(folder / "table.csv")
    fed = "; ".join(f"{name}={listed(values)}" for name, values in part.input_values.items())
    notice(
        f"profiling {len(part.layers())} layers of {space.name}"
        + (f" at {fed}" if fed else "")
        + f", a few minutes; kept in {folder}, Ctrl-C and the same command resume"
    )
    with resumable(f"what was measured is kept in {folder}"), progress("profiling") as advance:
        table = profile(device, part, folder, precision=precision, progress=advance)
    validation = table.validation(space)
    if validation:
        notice(f"profiled: {summary(dict(validation))}")
    load = Load.of(table.about(part))
    if load.busy:
        notice(f"this machine was busy meanwhile: {load.words}; once nothing else runs: {renewal(table, part)}")
    return table


def _few_resolutions(space: SearchSpace) -> SearchSpace:
    """The space at the resolutions asked for, or at :data:`ON_THE_SPOT` if that are too many to profile in passing."""
    for name, values in space.input_values.items():
        few = [r for r in ON_THE_SPOT if r in values]
        if len(values) > len(ON_THE_SPOT) and few:
            space = space.restrict(**{name: few})
    return space


def narrowed(
    space: SearchSpace,
    accuracy: Found[Predictor] | None,
    table: Found[LatencyTable] | None,
    *,
    batch: int | None = None,
    others: Mapping[str, Found[LatencyTable]] | None = None,
) -> tuple[Metrics, list[str]]:
    """The metrics over the part of ``space`` that predictor and tables cover, and what was left out, in words.

    ``batch`` counts where there is no table to tell it.

    Raises:
        TableError, PredictorError: nothing is left, or one belongs to another space.
    """
    left_out = []
    others = others or {}
    for source in (table, *others.values(), accuracy):
        if source is not None:
            covered = source.it.covered(space)
            left_out += _restrictions(space, covered, str(source.facts["name"]))
            space = covered
    images = (table.it.device.batch if table else batch) or 1
    metrics = Metrics(
        space,
        accuracy.it if accuracy else None,
        table.it if table else None,
        images,
        tells=accuracy.it.card.metric if accuracy else QUALITY.column,
        others={name: found.it for name, found in others.items()},
    )
    return metrics, left_out


def _restrictions(space: SearchSpace, covered: SearchSpace, source: str) -> list[str]:
    lines = []
    for gene, before, after in zip(space.genes, space.domain, covered.domain, strict=True):
        if len(after) < len(before):
            kept = listed([gene.choices[i] for i in after])
            lines.append(f"{gene.name} is restricted to {kept}: {source} covers no others")
    return lines
