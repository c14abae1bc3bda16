"""``hwnas profile --check``: does a table of this machine still hold?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer

from hwnas.cli._console import say
from hwnas.cli._errors import BAD_OUTCOME
from hwnas.errors import DeviceError
from hwnas.progress import notice, progress, resumable
from hwnas.study._place import refuse_busy

if TYPE_CHECKING:
    from hwnas.latency import Check, Device, LatencyTable
    from hwnas.space import SearchSpace


def check(device: Device, space: SearchSpace, precision: str, out: Path, *, n: int, seed: int) -> None:
    """Measure fresh subnets and report the error of the device's table. It holds by the same rule as in a search.

    Args:
        device: device of the table.
        space: the part of the table to check.
        precision: precision of networks.
        out: folder of tables.
        n: number of subnets.
        seed: seed of their choice.

    Raises:
        DeviceError: no table of the device covers a part of ``space``, or the machine is too busy.
        typer.Exit: the table no longer holds.
    """
    from hwnas import latency

    latency.check_precision(device, precision)
    table = _table(device, space, precision, out)
    covered = table.covered(space)
    where = f"{space.name}{f' at {covered.input_text}' if covered.input_genes else ''}"
    journal = out / f"check-{device.id}-{precision}-{space.name}-{seed}.jsonl"
    notice(f"checking latency table {table.name} on {n} whole subnets of {where}; Ctrl-C and the same command resume")
    with resumable(f"measurements are kept in {journal}"), progress("checking") as advance:
        x = latency.mixed_subnets(covered, n, np.random.default_rng([seed, 3]))
        found = latency.check_table(table, covered, x, journal, device=device, progress=advance)
    journal.unlink(missing_ok=True)
    say("\n".join(_report(table, found, where, table.plus_minus(space))))
    refuse_busy(found.load, f"check of latency table {table.name}")
    if not found.holds:
        say(f"it does not hold: {found.words}\nrenew it: {latency.renewal(table, space)}")
        raise typer.Exit(BAD_OUTCOME)
    say("it holds")


def _table(device: Device, space: SearchSpace, precision: str, out: Path) -> LatencyTable:
    from hwnas import latency

    if (out / device.id / "device.json").is_file():
        found = latency.find_table(out / device.id, precision)
        if precision in found.precisions:
            return found
    table = latency.find_table_for(device, space, precision)
    if table is None:
        rule = f"it has no latency table that covers {space.name}"
        raise DeviceError(f"device {device.label(precision)}", rule, "leave out --check to make one")
    return table


def _report(table: LatencyTable, found: Check, where: str, width: float | None) -> list[str]:
    from hwnas.latency import coverage, summary

    lines = [f"latency table {table.name}: {where}", f"  check     {summary(found.validation)}"]
    if width is not None:
        inside = 100 * coverage(found.predicted_ms, found.measured_ms, width)
        lines.append(f"  interval  {inside:.1f} % of these subnets lie within it")
    lines.append(f"  speed     subnets take {found.slowdown:.2f} times as long as predicted")
    lines.append(f"  noise     {found.load.words}")
    return lines
