"""Latency tables made on the spot, if there is none or none that holds on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.errors import DataError, DeviceError
from hwnas.files import check_writable
from hwnas.progress import notice, progress, resumable
from hwnas.wording import listed

if TYPE_CHECKING:
    from hwnas.latency import Device, LatencyTable, Plan
    from hwnas.space import SearchSpace

ON_THE_SPOT = (160, 192, 224)
"""Resolutions to profile if none are asked for: this takes minutes, not an hour."""


def refuse_first_if_busy(device: Device, space: SearchSpace, precision: str) -> None:
    """Refuse to make the first table of a device on a busy machine, where no earlier one can serve.

    Raises:
        DeviceError: the machine is too busy to be timed.
    """
    from hwnas import latency

    load = latency.machine_load(device, _few_resolutions(space), precision)
    if load.busy:
        remedy = "stop what else runs here and try again, or name a table: --device NAME, as `hwnas devices` lists them"
        rule = f"it has no latency table, and this machine is too busy to make one: {load.words}"
        raise DeviceError(f"device {device.label(precision)}", rule, remedy)
    notice(f"no latency table of {device.label(precision)} yet")


def profiled(device: Device, space: SearchSpace, precision: str, plan: Plan | None) -> LatencyTable:
    """Make a table, below ``latency_tables/``, by the default plan or a given one.

    Raises:
        DataError: the folder cannot be written.
    """
    from hwnas.latency import Load, profile, profile_command, renewal, summary

    part = _few_resolutions(space)
    folder = Path("latency_tables") / device.id
    try:
        check_writable(folder / "table.csv")
    except DataError as error:  # no option of this command names another folder
        make = f"{profile_command(device, part, precision)} --out FOLDER"
        remedy = f"work in another folder, or make one elsewhere: {make}, and name it: --device FOLDER/{device.id}"
        raise DataError(f"latency table {folder}", error.rule, remedy) from error
    fed = "; ".join(f"{name}={listed(values)}" for name, values in part.input_values.items())
    notice(
        f"profiling {len(part.layers())} layers of {space.name}"
        + (f" at {fed}" if fed else "")
        + f", which takes minutes, or up to an hour for a language model; kept in {folder}, Ctrl-C and the same command resume"
    )
    with resumable(f"measurements are kept in {folder}"), progress("profiling") as advance:
        table = profile(device, part, folder, precision=precision, plan=plan, progress=advance)
    validation = table.validation(space)
    if validation:
        notice(f"profiled: {summary(dict(validation))}")
    load = Load.of(table.about(part))
    if load.busy:
        notice(f"this machine was busy meanwhile: {load.words}; once nothing else runs: {renewal(table, part)}")
    return table


def _few_resolutions(space: SearchSpace) -> SearchSpace:
    """The space at its own resolutions, or at :data:`ON_THE_SPOT` if they are too many to profile on the spot."""
    for name, values in space.input_values.items():
        few = [r for r in ON_THE_SPOT if r in values]
        if len(values) > len(ON_THE_SPOT) and few:
            space = space.restrict(**{name: few})
    return space
