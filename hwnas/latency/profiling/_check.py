"""Whether a table still holds: fresh whole subnets, measured next to its anchor.

Whole subnets tell more than rows would: a layer that is timed alone runs on a warm cache, and what predictions are
for is their sum.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwnas.errors import TableError
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._subnets import mixed_subnets
from hwnas.latency.profiling._whole import measure_subnets
from hwnas.latency.table._fidelity import fidelity
from hwnas.latency.table._interval import coverage
from hwnas.latency.table._table import LatencyTable
from hwnas.latency.timing._measure import Progress
from hwnas.latency.timing._runtime import Runtime
from hwnas.space import SearchSpace

SUBNETS = 24
"""Subnets that a check measures: about a minute."""

WITHIN_10_PCT, BIAS_PCT, SPEED = 90.0, 5.0, 1.25
"""A table holds while at least so many percent of subnets are within 10 %, their mean error is no larger than this,
and the anchor runs at its speed to within this factor; the speed of a shared machine wanders by 1.1."""


@dataclass(frozen=True)
class Check:
    """What fresh subnets say of a table.

    Attributes:
        validation: errors of its predictions; see `fidelity`.
        speed_pct: of this machine now, against when the table was made; the errors leave it out.
        coverage_pct: share of subnets within the table's interval; None if it has none.
        repeat_pct: noise of this check; see `MeasuredSubnets`.
        faults: why the table no longer holds, in words; empty if it does.
    """

    validation: Mapping[str, float]
    speed_pct: float
    coverage_pct: float | None
    repeat_pct: float | None
    faults: tuple[str, ...]


def check_table(
    table: LatencyTable,
    space: SearchSpace,
    journal: str | os.PathLike[str],
    *,
    device: Device | None = None,
    n: int = SUBNETS,
    seed: int = 0,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> Check:
    """Measure ``n`` subnets of what the table covers of ``space``, and compare.

    Args:
        table: of this machine.
        space: its domain is what is checked.
        journal: file that keeps the times; called again with the same file, what it holds is not repeated.
        device: the table's, as it is now; by default as it was.
        n: subnets.
        seed: of their choice; another one than that of the profile draws others.
        progress: called after each few subnets.
        runtime: what runs them; onnxruntime by default.

    Raises:
        TableError: it covers nothing of the domain, or has no anchor: it was imported.
        DeviceError, DataError: as `measure_subnets`.
    """
    covered, anchor = table.covered(space), table.anchor(space)
    if anchor is None:
        raise TableError(f"latency table {table.name}", "it has no anchor to compare with", "profile again")
    x = mixed_subnets(covered, n, np.random.default_rng([seed, 3]))
    found = measure_subnets(
        device or table.device, covered, x, journal, anchor=anchor, seed=seed, progress=progress, runtime=runtime
    )
    predicted, measured = table.cost(covered)(x), np.array([m.at_table_speed_ms for m in found.measurements])
    speed_pct = found.speed.pct or math.nan  # known, since the table has an anchor
    validation, width = fidelity(predicted, measured), table.plus_minus(space)
    return Check(
        validation,
        speed_pct,
        None if width is None else 100 * coverage(predicted, measured, width),
        found.repeat_pct,
        tuple(_faults(validation, speed_pct)),
    )


def _faults(validation: Mapping[str, float], speed_pct: float) -> list[str]:
    faults = []
    if validation["within_10_pct"] < WITHIN_10_PCT:
        faults.append(f"only {validation['within_10_pct']:.0f} % of subnets are within 10 % of their prediction")
    if abs(validation["bias_pct"]) > BIAS_PCT:
        faults.append(f"predictions are off by {validation['bias_pct']:+.1f} % on average")
    if not 100 / SPEED <= speed_pct <= 100 * SPEED:
        faults.append(f"this machine runs at {speed_pct:.0f} % of the speed it was profiled at")
    return faults
