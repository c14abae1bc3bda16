"""Whether a table's predictions hold on this machine: decided by seconds of measuring, not by the table's name.

Whole subnets are timed by the wall clock (`check_table`). If the table predicts them, it holds. If not, or if it was made on a
similar device (another CPU, another number of threads), more subnets adapt it. A new profile takes many minutes, and on a clock
that does not repeat it is no better than the old table. So a minute is first spent on more subnets, which decide better and
adapt better, and a profile is needed only if the adapted table is surely not good enough. On a machine that stays busy nothing
can be learnt: the table is used unchanged. Measurements are kept for an hour, so that the next command does not repeat them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hwnas.errors import DataError, DeviceError, TableError
from hwnas.files import user_cache
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._check import Check, check_table, spanning_subnets
from hwnas.latency.profiling._timer import TIMING
from hwnas.latency.table._adapt import adapted_table
from hwnas.latency.table._find import find_table_for, table_paths
from hwnas.latency.table._origin import made_at
from hwnas.latency.table._table import LatencyTable
from hwnas.latency.timing._measure import Progress
from hwnas.latency.timing._runtime import Runtime
from hwnas.space import Population, SearchSpace

SECONDS = 3600.0
"""How long measurements are kept."""

FEW, MANY, MOST = 6, 13, 36
"""Numbers of subnets: the first decide whether a table holds, the second adapt it, the third decide whether to profile. With the
3, 3 and 9 that are timed twice these are 9, 16 and 45 timings: 11, 20 and 56 seconds on a CPU."""

TRIES = 3
"""Attempts on a busy machine: on a shared machine the load is often gone after seconds."""

Verdict = Literal["holds", "adapted", "unlike", "busy"]


@dataclass(frozen=True)
class Trust:
    """The result of checking the table nearest to a device.

    Attributes:
        verdict: the table ``holds``, was ``adapted``, or is ``unlike`` the device, which then needs a profile; or the machine
            was too ``busy`` to check, and the table is unchanged.
        table: the table to use; if ``unlike``, the one that does not fit.
        words: the finding in one sentence.
    """

    verdict: Verdict
    table: LatencyTable
    words: str

    @property
    def facts(self) -> dict[str, Any]:
        """The finding, for provenance."""
        return {"verdict": self.verdict, "found": self.words}


def trusted(
    device: Device,
    space: SearchSpace,
    *,
    precision: str = "fp32",
    table: LatencyTable | None = None,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
    clock: Callable[[], float] = time.time,
) -> Trust | None:
    """Check the nearest table of a device of this machine, and adapt it if it does not hold.

    Args:
        device: of this machine.
        space: its domain is checked as far as the table covers it.
        precision: of the networks.
        table: of the device, with answers of that precision; by default the nearest one, or a similar device's.
        progress: called after each group of subnets.
        runtime: runs the subnets; onnxruntime by default.
        clock: seconds since the epoch, which give the age of tables and kept measurements.

    Returns:
        None if there is no table of this device or a similar one.

    Raises:
        DeviceError: the device cannot run the subnets, or is busy and has no table of its own.
        TableError: a table cannot be read.
    """
    own = table or find_table_for(device, space, precision)
    near = own or like_table(device, space, precision)
    if near is None:
        return None
    named = f"latency table {near.name}" + ("" if own is not None else f" ({near.device.differences(device)[0]})")
    covered = near.covered(space)
    x = spanning_subnets(covered, MOST)
    anchor, kept = x[len(x) // 2], _Kept(_journal(device, precision, covered, x, clock()))
    check = partial(check_table, near, covered, device=device, anchor=anchor, progress=progress, runtime=runtime)
    for n in (FEW, MANY, MOST):
        found = kept.checked(partial(check, x[:n]))
        if found.load.busy:
            return _unchecked(device, own, f"this machine is busy: {found.load.words}")
        if own is not None and (found.surely_holds if n == FEW else found.holds):
            return Trust("holds", own, f"{named} holds: {found.words}")
        if n == FEW:
            continue
        beside = {"arch": covered.decode(anchor), "median_ms": found.anchor_ms}
        new, how = adapted_table(near, device, covered, x[:n], found.measured_ms, anchor=beside)
        after = replace(found, predicted_ms=how.left_out_ms)  # each subnet predicted from all others
        if after.holds or (n == MOST and after.may_hold):
            speed = f"subnets take {how.speed:.2f} times as long as it says"
            words = f"{named} is adapted: {speed}; each predicted from the others, {after.words}"
            return Trust("adapted", new, words if after.holds else f"{words}; the clock may be the reason")
    if own is not None and _just_made(own, covered, clock()):
        kept.forget()
        return _unchecked(device, own, f"it is less than an hour old, but {found.words}: this machine's speed changes")
    return Trust("unlike", near, f"{named} does not fit this machine: even adapted, {after.words}")


class _Kept:
    """The journal of a check, which may hold measurements of an earlier command."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.since = journal.stat().st_mtime if journal.exists() else None

    def checked(self, check: Callable[[Path], Check]) -> Check:
        """The result of a check, repeated up to `TRIES` times on a busy machine, with the time of its measurements."""
        for _ in range(TRIES):
            found = check(self.journal)
            if not found.load.busy:
                break
            self.forget()
        return replace(found, when=self._when())

    def forget(self) -> None:
        """Delete the journal, so that the next try, or command, measures again."""
        self.journal.unlink(missing_ok=True)
        self.since = None

    def _when(self) -> str:
        if self.since is None:
            return "now"
        at = time.strftime("%H:%M", time.localtime(self.since))
        return f"at {at}" if self.journal.stat().st_mtime == self.since else f"since {at}"


def like_table(device: Device, space: SearchSpace, precision: str = "fp32") -> LatencyTable | None:
    """The table with the same provider and batch that covers part of ``space`` in a precision and differs least, or None."""
    found: list[tuple[int, LatencyTable]] = []
    for path in table_paths():
        try:
            table = LatencyTable.load(path, precision)
            made = table.device
            alike = (made.provider, made.batch) == (device.provider, device.batch)
            if not alike or any(row.context and not row.is_mixed for row in table.rows.values()):
                continue
            table.covered(space)
        except TableError:
            continue
        found.append((len(made.differences(device)) + 3 * abs(made.threads - device.threads), table))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _unchecked(device: Device, own: LatencyTable | None, why: str) -> Trust:
    """The device's own table unchanged. Raises if there is none: another device's unchanged table would be far off."""
    if own is None:
        remedy = "stop what else runs here and try again, or name a table: --device NAME, as `hwnas devices` lists them"
        raise DeviceError(f"device {device.id}", f"it has no latency table of its own, and {why}", remedy)
    again = "the same command checks it once nothing else runs"
    return Trust("busy", own, f"latency table {own.name} is used as it is, unchecked: {why}; {again}")


def _just_made(table: LatencyTable, space: SearchSpace, now: float) -> bool:
    """Whether the table's rows were measured less than `SECONDS` ago, so that a new profile would not differ."""
    made = made_at(table.about(space))
    return made is not None and now - made.timestamp() < SECONDS


def _journal(device: Device, precision: str, space: SearchSpace, x: Population, now: float) -> Path:
    """The file that keeps measurements, deleted if they are older than `SECONDS`."""
    cache = user_cache()
    about = json.dumps([device.to_json(), precision, space.fingerprint, x.tolist(), TIMING], sort_keys=True)
    path = cache / f"check-{device.id}-{precision}-{space.name}-{hashlib.sha256(about.encode()).hexdigest()[:12]}.jsonl"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if path.exists() and now - path.stat().st_mtime > SECONDS:
            path.unlink()
    except OSError as error:
        raise DataError(
            f"{path}", f"it cannot be written ({error})", "set XDG_CACHE_HOME to a folder that can"
        ) from error
    return path
