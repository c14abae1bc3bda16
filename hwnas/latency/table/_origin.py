"""The origin of a table: whether it was made on this machine, when, and how to renew it. Nothing is measured."""

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
"""Days after which a table should be checked, because drivers and kernels have changed."""


def misfits(table: LatencyTable) -> list[str] | None:
    """Differences in words between a table's conditions and the same device on this machine; None for an imported table."""
    made = table.device
    if not made.provider:
        return None
    try:
        here = _here(made)
    except HwnasError as error:
        return [error.rule]
    return made.differences(here)


def made_at(facts: Mapping[str, Any]) -> datetime | None:
    """When the rows of a space were measured, from the table's facts about it; None if they have no date."""
    try:
        made = datetime.fromisoformat(str(facts["date"]))
    except (KeyError, ValueError):
        return None
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)


def age_days(facts: Mapping[str, Any]) -> int | None:
    """Days since `made_at`."""
    made = made_at(facts)
    return None if made is None else (datetime.now(UTC) - made).days


def doubts(table: LatencyTable, facts: Mapping[str, Any]) -> list[str]:
    """Reasons in words why an unchecked table's predictions may not hold on this machine.

    Empty for a fresh table of this machine, and for a published table.

    Args:
        table: the table.
        facts: its facts about the space: ``table.about(space)``.
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
    """The command that measures the rows of ``space`` again, at all resolutions that the table covers."""
    domain = space
    if len(space.input_genes) == 1:
        with suppress(TableError):  # the table covers no resolution of the whole space: keep those of the domain
            domain = table.covered(space.whole)
    return profile_command(table.device, domain, table.precision)


def _here(made: Device) -> Device:
    return get_device(made.name, threads=made.threads, batch=made.batch, spinning=made.spinning)


def _other_runtime(device: Device, facts: Mapping[str, Any]) -> list[str]:
    """A reason if the runtime's minor version differs, since kernels change between minor versions."""
    here, made = _here(device).runtime, str(facts.get("runtime", device.runtime))
    return [] if _minor(made) == _minor(here) else [f"made with {made or 'an unknown runtime'}, here is {here}"]


def _minor(runtime: str) -> str:
    """``onnxruntime 1.32`` for ``onnxruntime 1.32.1``."""
    return ".".join(runtime.split(".")[:2])
