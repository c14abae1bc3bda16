"""Whether a table tells the times of the device that is here: seconds of measuring decide, not its name.

Whole subnets are timed by the wall clock. A table that predicts them holds; one that does not, or that is of a like device
(another CPU, another number of threads), is a prior that more of them adapt; where even that predicts badly, nothing but a
profile of this device helps. What was measured is kept for an hour, so that the next command does not measure again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError, TableError
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._subnets import mixed_subnets
from hwnas.latency.profiling._whole import measure_subnets
from hwnas.latency.table._adapt import Adapted, adapted
from hwnas.latency.table._fidelity import fidelity
from hwnas.latency.table._find import find_table_for, table_paths
from hwnas.latency.table._interval import interval
from hwnas.latency.table._table import Anchor, LatencyTable
from hwnas.latency.timing._measure import Progress
from hwnas.latency.timing._runtime import Runtime
from hwnas.space import Population, SearchSpace, macs_cost

SECONDS = 3600.0
"""How long what was measured counts."""

FEW, MANY = 6, 16
"""Subnets that tell whether a table holds, and those that adapt one: 6 and at most 20 seconds on a CPU."""

HOLDS_MAPE_PCT, HOLDS_BIAS_PCT = 4.0, 3.0
"""A table holds while the few subnets are off by no more than this, absolutely and on average."""

ADAPTED_MAPE_PCT, ADAPTED_WITHIN_10_PCT = 4.0, 90.0
"""An adapted table is good enough if subnets, each predicted from all others, are off by no more than this."""

Verdict = Literal["holds", "adapted", "unlike"]


@dataclass(frozen=True)
class Trust:
    """What a check says of the table that is nearest to a device.

    Attributes:
        verdict: the table ``holds``, was ``adapted``, or is ``unlike`` the device: then it is to be profiled.
        table: the one to use; that which does not fit if ``unlike``.
        words: what was found, for people.
    """

    verdict: Verdict
    table: LatencyTable
    words: str

    @property
    def facts(self) -> dict[str, Any]:
        """For the provenance."""
        return {"verdict": self.verdict, "found": self.words}


def trusted(
    device: Device,
    space: SearchSpace,
    *,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
    clock: Callable[[], float] = time.time,
) -> Trust | None:
    """Check the nearest table of a device that is here, and adapt it if it does not hold.

    Args:
        device: of this machine.
        space: its domain, as far as the table covers it, is what is checked.
        progress: called after each few subnets.
        runtime: what runs them; onnxruntime by default.
        clock: seconds, to tell how old a kept check is.

    Returns:
        None where no table is of this device or a like one.

    Raises:
        DeviceError: the device cannot run the subnets.
        TableError: a table that cannot be read.
    """
    own = find_table_for(device, space)
    table = own or like_table(device, space)
    if table is None:
        return None
    covered = table.covered(space)
    x = checked_subnets(covered, MANY)

    journal = _journal(device, covered, x, clock())

    def measured(n: int) -> NDArray[np.float64]:
        ratios, beside_ms = beside_anchor(
            device, covered, x[:n], x[len(x) // 2], journal, progress=progress, runtime=runtime
        )
        return ratios * beside_ms

    predicted = table.cost(covered)(x)
    if own is not None:
        n = min(FEW, len(x))
        check = fidelity(predicted[:n], measured(n))
        if check["mape_pct"] <= HOLDS_MAPE_PCT and abs(check["bias_pct"]) <= HOLDS_BIAS_PCT:
            return Trust("holds", table, f"{n} subnets are off by {check['mape_pct']:.1f} % on average")
    ms = measured(len(x))
    new, found = adapted_table(table, device, covered, x, ms)
    told = new.validation(covered) or {}
    of = "this device at another speed" if own is not None else table.device.id
    words = (
        f"made for {of}; {len(x)} subnets take {found.speed:.2f} times as long, and are off by {told['mape_pct']:.1f} % "
        "once it is adapted"
    )
    good = told["mape_pct"] <= ADAPTED_MAPE_PCT and told["within_10_pct"] >= ADAPTED_WITHIN_10_PCT
    return Trust("adapted", new, words) if good else Trust("unlike", table, words)


def beside_anchor(
    device: Device,
    space: SearchSpace,
    x: Population,
    anchor: Population,
    journal: Path,
    *,
    sessions: int = 1,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> tuple[NDArray[np.float64], float]:
    """``(n,)`` times of subnets as multiples of an anchor's, and the median of the anchor's by the wall clock in ms.

    On a shared machine the speed jumps by a tenth and more between seconds; the anchor beside each subnet takes that out.

    Args:
        device: of this machine.
        space: of the rows.
        x: ``(n, g)`` rows.
        anchor: ``(g,)`` what runs beside them.
        journal: keeps the times; see `measure_subnets`, as for the rest.
    """
    beside = Anchor(space.network(anchor), 1.0)  # times "at the table's speed" are then multiples of the anchor's
    found = measure_subnets(
        device, space, x, journal, anchor=beside, sessions=sessions, progress=progress, runtime=runtime
    )
    return np.array([m.at_table_speed_ms for m in found.measurements], dtype=float), 100 / (found.speed.pct or np.nan)


def like_table(device: Device, space: SearchSpace) -> LatencyTable | None:
    """A table of the same provider, batch and precision that covers some of ``space``; the one that differs least, or None."""
    found: list[tuple[int, LatencyTable]] = []
    for path in table_paths():
        try:
            table = LatencyTable.load(path)
            made = table.device
            alike = (made.provider, made.batch, made.precision) == (device.provider, device.batch, device.precision)
            if not alike or any(context for _, context in table.rows):
                continue
            table.covered(space)
        except TableError:
            continue
        found.append((len(made.differences(device)) + 3 * abs(made.threads - device.threads), table))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def adapted_table(
    table: LatencyTable, device: Device, space: SearchSpace, x: Population, measured_ms: NDArray[np.float64]
) -> tuple[LatencyTable, Adapted]:
    """A table of ``device``, from that of another one and whole subnets measured here.

    Its validation and interval are of the measured subnets, each predicted from all others.

    Args:
        table: the prior.
        device: what was measured on.
        space: the table covers its domain.
        x: ``(n, g)`` measured rows.
        measured_ms: ``(n,)`` their times.
    """
    layers = space.layers()
    before = table.layer_rows(space)
    found = adapted(
        {key: row.median_ms for key, row in before.items()}, [space.network(row) for row in x], measured_ms, layers
    )
    rows = {}
    for key, factor in found.factors.items():
        row = before[key]
        low, high = row.p10_ms * factor, row.p90_ms * factor
        rows[key, ""] = replace(row, median_ms=row.median_ms * factor, p10_ms=low, p90_ms=high)
    check = fidelity(found.left_out_ms, measured_ms)
    about = {
        "fingerprint": space.whole.fingerprint,
        "resolutions": [value for values in space.input_values.values() for value in values],
        "method": "adapted",
        "prior": table.device.id,
        "subnets": len(x),
        "speed": found.speed,
        "validation": check,
        "interval": interval(found.left_out_ms, measured_ms),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return LatencyTable(device, rows, {space.name: about}), found


def checked_subnets(space: SearchSpace, n: int) -> Population:
    """``n`` distinct subnets of all sizes, in an order in which the first few span them too."""
    pool = mixed_subnets(space, 4 * n, np.random.default_rng(5))
    order = np.argsort(macs_cost(space)(pool), kind="stable")
    spread = order[np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)]
    # Halves of halves: 0, 8, 4, 12, 2, ... of 16.
    bits = max(1, (len(spread) - 1).bit_length())
    turned = sorted(range(len(spread)), key=lambda i: int(f"{i:0{bits}b}"[::-1], 2))
    chosen: Population = pool[spread[turned]]
    return chosen


def _journal(device: Device, space: SearchSpace, x: Population, now: float) -> Path:
    """Where what was measured is kept, emptied if that was more than an hour ago."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwnas"
    about = json.dumps([device.to_json(), space.fingerprint, x.tolist()], sort_keys=True)
    path = cache / f"check-{device.id}-{space.name}-{hashlib.sha256(about.encode()).hexdigest()[:12]}.jsonl"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if path.exists() and now - path.stat().st_mtime > SECONDS:
            path.unlink()
    except OSError as error:
        raise DataError(
            f"{path}", f"it cannot be written ({error})", "set XDG_CACHE_HOME to a folder that can"
        ) from error
    return path
