"""Where a table comes from: whether it was made on this machine, when, and how to renew it. Nothing is measured."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hwnas.errors import HwnasError, TableError
from hwnas.latency.device._device import Device, get_device
from hwnas.latency.table._command import profile_command
from hwnas.latency.table._table import LatencyTable
from hwnas.latency.timing._noise import Load
from hwnas.space import SearchSpace

STALE_DAYS = 180
"""Days after which a table is worth a check: drivers, kernels and neighbours have changed."""


def misfits(table: LatencyTable) -> list[str] | None:
    """What sets a table's conditions apart from the same device here, in words; None if it was not made by profiling."""
    made = table.device
    if not made.provider:
        return None
    try:
        here = _here(made)
    except HwnasError as error:
        return [error.rule]
    return made.differences(here)


def made_at(facts: Mapping[str, Any]) -> datetime | None:
    """When the rows of a space were measured, by what a table tells of it; None where it does not."""
    try:
        made = datetime.fromisoformat(str(facts["date"]))
    except (KeyError, ValueError):
        return None
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)


def age_days(facts: Mapping[str, Any]) -> int | None:
    """Days since then."""
    made = made_at(facts)
    return None if made is None else (datetime.now(UTC) - made).days


def doubts(table: LatencyTable, facts: Mapping[str, Any]) -> list[str]:
    """Reasons, in words, why the predictions of an unchecked table may not hold on this machine.

    Empty for a fresh table of it, or one that was published.

    Args:
        table: which.
        facts: what it tells of the space: ``table.about(space)``.
    """
    foreign = misfits(table)
    if foreign is None:
        return []
    found = [f"made on another machine ({foreign[0]})"] if foreign else _other_runtime(table.device, facts)
    days = age_days(facts)
    if days is not None and days > STALE_DAYS:
        found.append(f"{days} days old")
    if Load.of(facts).busy:
        found.append("made while the machine was too busy to be trusted")
    return found


def renewal(table: LatencyTable, space: SearchSpace) -> str:
    """The command that measures the rows of ``space`` anew; of one input, at all of its values that the table covers."""
    domain = space
    if len(space.input_genes) == 1:
        with suppress(TableError):  # of a table that covers a part of the space, at the values of that part
            domain = table.covered(space.whole)
    return profile_command(table.device, domain, table.precision)


def _here(made: Device) -> Device:
    return get_device(made.name, threads=made.threads, batch=made.batch, spinning=made.spinning)


def _other_runtime(device: Device, facts: Mapping[str, Any]) -> list[str]:
    """Kernels change from one minor version to the next."""
    here, made = _here(device).runtime, str(facts.get("runtime", device.runtime))
    return [] if _minor(made) == _minor(here) else [f"made with {made or 'an unknown runtime'}, here is {here}"]


def _minor(runtime: str) -> str:
    """``onnxruntime 1.32`` of ``onnxruntime 1.32.1``."""
    return ".".join(runtime.split(".")[:2])
