"""Find the latency table for a command: checked on this machine, adapted, or made on the spot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DeviceError, TableError, UnknownNameError
from hwnas.files import file_hash
from hwnas.progress import notice, progress, resumable
from hwnas.study._found import Found
from hwnas.study._on_the_spot import profiled, refuse_first_if_busy
from hwnas.study._run_conditions import ANY, RunConditions
from hwnas.wording import first_few

if TYPE_CHECKING:
    from hwnas.latency import Device, LatencyTable, Plan, Trust
    from hwnas.space import SearchSpace


def find_table(
    space: SearchSpace,
    device: str,
    conditions: RunConditions = ANY,
    *,
    as_is: bool = False,
    plan: Plan | None = None,
    kept: Path | None = None,
) -> Found[LatencyTable]:
    """Find the table of a device of this machine, or a table by name or path.

    A table of this machine is checked on a few whole subnets, and adapted if it is of a similar device or no longer holds.
    If there is no table, or adapting is not enough, the device is profiled now. A named table is refused instead.

    Args:
        space: the space; the table must cover a part of it.
        device: ``cpu`` or ``cuda:0``; the name of a table; or a folder with one, or with tables that OFA published. Write
            ``./cpu`` for a folder called like a device.
        conditions: conditions, which must be those of a named table; by default 1 thread, batch 1 and fp32, or those of a
            named table.
        as_is: use a table of this machine without a check.
        plan: plan of a profile that has to be made; None for the default one.
        kept: folder where :func:`keep` may have saved the table of earlier runs, which must be used again.

    Raises:
        UnknownNameError: there is no such device or table; the message suggests the nearest.
        DeviceError: a provider is not installed, or conditions are not the table's.
        TableError: a table cannot be read, a named one does not fit this machine, or a kept one has other conditions.
    """
    from hwnas import latency

    kept = None if as_is else kept
    if latency.is_provider(device):
        wanted = latency.get_device(device, threads=conditions.threads or 1, batch=conditions.batch or 1)
        computed = conditions.precision or "fp32"
        latency.check_precision(wanted, computed)
        known = _as_found if as_is else _nearest
        table, trust = _as_kept(kept, wanted, space, computed) or known(wanted, space, computed)
        if table is None:
            table = profiled(wanted, space, computed, plan)
    else:
        table = _named_table(device, space, conditions.precision)
        _refuse_other_conditions(table, device, space, conditions)
        if latency.misfits(table) == [] and not as_is:
            table, trust = _as_kept(kept, table.device, space, table.precision) or _as_named(table, device, space)
        else:
            _warn_doubts(table, space)
            trust = AS_IS
    _warn_estimated(table, space)
    return Found(table, {**table_facts(table, space), "trust": trust})


AS_IS, PROFILED, KEPT = {"verdict": "as is"}, {"verdict": "profiled"}, {"verdict": "kept"}
"""Provenance of a table that was not checked, of one made on the spot, and of one kept from earlier runs."""


def keep(found: Found[LatencyTable], folder: Path, space: SearchSpace) -> Found[LatencyTable]:
    """Save a table in a device's ``folder``, for later runs that must use the same one; returns it as read from there.

    An adapted table is in no other file, and a later check may adapt it differently. An unchecked one needs no copy, and one
    that is kept already is the copy.

    Raises:
        DataError: the folder cannot be written.
    """
    from hwnas.latency import LatencyTable

    if found.facts["trust"] in (AS_IS, KEPT):
        return found
    path = folder / found.it.precision
    found.it.save(path)
    table = LatencyTable.load(path, found.it.precision)
    return Found(table, {**table_facts(table, space), "trust": found.facts["trust"]})


def _as_kept(
    folder: Path | None, device: Device, space: SearchSpace, precision: str
) -> tuple[LatencyTable, Mapping[str, Any]] | None:
    """The table of earlier runs, if there is one.

    Raises:
        TableError: it has other conditions or is of another space, or cannot be read.
    """
    from hwnas.latency import LatencyTable

    if folder is None or not (folder / precision).is_dir():
        return None
    table = LatencyTable.load(folder / precision, precision)
    differences = table.device.differences(device)
    remedy = "repeat the options that the run began with, or write to another --out"
    if differences:
        rule = f"the unfinished run used it, with {differences[0]}"
        raise TableError(f"latency table {table.name}", rule, remedy)
    try:
        table.covered(space)
    except TableError as error:
        rule = f"the unfinished run used it, and it is not of {space.name}"
        raise TableError(f"latency table {table.name}", rule, remedy) from error
    notice(f"latency table {table.name}: the unfinished run used it, so it is used again")
    return table, KEPT


def _as_found(device: Device, space: SearchSpace, precision: str) -> tuple[LatencyTable | None, Mapping[str, Any]]:
    """The table of a device, unchecked; None if there is none, and one has to be made."""
    from hwnas import latency

    table = latency.find_table_for(device, space, precision)
    if table is None:
        refuse_first_if_busy(device, space, precision)
        return None, PROFILED
    _warn_doubts(table, space)
    return table, AS_IS


def _nearest(device: Device, space: SearchSpace, precision: str) -> tuple[LatencyTable | None, Mapping[str, Any]]:
    """The table nearest to a device after a check on whole subnets, None if one has to be made; and the verdict."""
    found = _trust(device, space, precision)
    if found is None:
        refuse_first_if_busy(device, space, precision)
        return None, PROFILED
    if found.verdict != "unlike":
        notice(found.words)
        return found.table, found.facts
    own = found.table.device.differences(device) == []
    without = "--as-is uses it" if own else f"--device {found.table.device.id} names it"
    notice(f"{found.words}; so the device is profiled ({without} all the same)")
    return None, found.facts


def _as_named(table: LatencyTable, name: str, space: SearchSpace) -> tuple[LatencyTable, Mapping[str, Any]]:
    """A named table of this machine, adapted if necessary.

    Raises:
        TableError: it does not fit; another table would not be the one asked for.
    """
    made = table.device
    found = _trust(made, space, table.precision, table)
    assert found is not None
    if found.verdict == "unlike":
        here = f"--device {made.name} --threads {made.threads} --batch {made.batch}"
        remedy = f"pass --as-is to use it all the same, or {here} to profile this machine"
        raise TableError(f"device {name}", found.words, remedy)
    notice(found.words)
    return found.table, found.facts


def _trust(device: Device, space: SearchSpace, precision: str, table: LatencyTable | None = None) -> Trust | None:
    from hwnas import latency

    with resumable("measurements are kept"), progress("checking the latency table") as advance:
        return latency.trusted(device, space, precision=precision, table=table, progress=advance)


def _refuse_other_conditions(table: LatencyTable, name: str, space: SearchSpace, conditions: RunConditions) -> None:
    """Refuse conditions that a named table does not have.

    Raises:
        DeviceError: there is one; the message names the first.
    """
    from hwnas import latency

    for what in ("threads", "batch"):
        asked, has = getattr(conditions, what), getattr(table.device, what)
        if asked is not None and asked != has:
            rule = f"latency table {name} was made with {has or 'unknown'}"
            raise DeviceError(f"{what} {asked}", rule, f"drop --{what}")
    mixed = space.plain is not None  # mixed subnets use the rows of single precisions
    precision = conditions.precision
    if precision is not None and not mixed and precision not in table.precisions:
        has, remedy = " and ".join(table.precisions) or "no rows", "drop --precision"
        if table.device.provider:
            latency.check_precision(table.device, precision)
            remedy += f", or profile it: {latency.profile_command(table.device, space, precision)}"
        raise DeviceError(f"precision {precision}", f"latency table {name} has {has}", remedy)


def _warn_estimated(table: LatencyTable, space: SearchSpace) -> None:
    """Notify the user if a layer's time is estimated from a similar layer."""
    estimated = table.estimated(space)
    if estimated and space.base is not None:
        named = first_few(estimated, 1)
        notice(f"{table.name} has {space.base.name}: the time of {named} is estimated from its classifier's")


def _warn_doubts(table: LatencyTable, space: SearchSpace) -> None:
    """Notify the user if a table may not have the times of this machine, and how to renew it."""
    from hwnas import latency

    found = latency.doubts(table, table.about(space))
    if not found:
        return
    there = " there" if latency.misfits(table) else ""
    notice(f"latency table {table.name}: {', '.join(found)}; renew it{there}: {latency.renewal(table, space)}")


def _named_table(name: str, space: SearchSpace, precision: str | None) -> LatencyTable:
    from hwnas import latency

    if latency.is_remote(name):
        make = f"hwnas profile --device {name} {latency.space_options(space)}"
        raise DeviceError(f"device {name}", "here latencies come from a table", f"make one: {make}, and name it")
    path = Path(name)
    if (path.is_dir() and not (path / "table.csv").exists() and not (path / "device.json").exists()) or (
        path.is_file() and path.name not in ("table.csv", "device.json")
    ):
        return latency.read_published(path, path.name.partition(".")[0], space.plain or space)
    try:
        return latency.find_table(name, precision)
    except UnknownNameError as error:
        board = "import a table of it: hwnas profile --import FILE --device NAME"
        raise UnknownNameError("device", name, [*latency.PROVIDERS, *error.known], board) from error


def table_facts(table: LatencyTable, space: SearchSpace) -> dict[str, Any]:
    """Facts of a table for the provenance."""
    from hwnas import latency

    about = table.about(space)
    own = space.base if space.base is not None and latency.runs_of(space) not in table.spaces else space
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
        "space": latency.runs_of(own),
        "anchor": about.get("anchor"),
    }
