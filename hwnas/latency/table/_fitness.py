"""Whether a latency table still tells the times of this machine, and how it is renewed."""

from __future__ import annotations

from datetime import UTC, datetime

from hwnas.errors import HwnasError
from hwnas.latency.device._device import Device, get_device
from hwnas.latency.table._table import LatencyTable, fixed_resolutions, profile_command
from hwnas.latency.timing._noise import is_noisy
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
    return [d for d in made.differences(here) if not d.startswith("threads ")]


def age_days(table: LatencyTable, space: str) -> int | None:
    """Days since the rows of a space were measured."""
    try:
        made = datetime.fromisoformat(str(table.spaces[space]["date"]))
        return (datetime.now(UTC) - made).days
    except (KeyError, TypeError, ValueError):
        return None


def doubts(table: LatencyTable, space: str) -> list[str]:
    """Why predictions may not hold on this machine, in words; none for a fresh table of it, or one that was published."""
    foreign = misfits(table)
    if foreign is None:
        return []
    found = [f"made on another machine ({foreign[0]})"] if foreign else _other_runtime(table.device)
    days = age_days(table, space)
    if days is not None and days > STALE_DAYS:
        found.append(f"{days} days old")
    if is_noisy(table.spaces.get(space, {}).get("repeat_pct")):
        found.append("made while the machine was too busy to be trusted")
    return found


def renewal(table: LatencyTable, space: SearchSpace) -> str:
    """The command that measures the rows of ``space`` anew."""
    domain = table.covered(space.whole)
    return profile_command(table.device, space.name) + fixed_resolutions(domain)


def _here(made: Device) -> Device:
    return get_device(made.name, batch=made.batch, precision=made.precision, spinning=made.spinning)


def _other_runtime(made: Device) -> list[str]:
    """Kernels change from one minor version to the next."""
    here = _here(made).runtime
    if _minor(made.runtime) == _minor(here):
        return []
    return [f"made with {made.runtime or 'an unknown runtime'}, here is {here}"]


def _minor(runtime: str) -> str:
    """``onnxruntime 1.32`` of ``onnxruntime 1.32.1``."""
    return ".".join(runtime.split(".")[:2])
