"""Checking a table: its predictions against whole subnets that are timed now.

Whole subnets are timed rather than single layers, because a layer timed alone runs on a warm cache, and because predictions are
sums. A table passes if 95 % of new subnets are within 5 % of the clock. A few subnets are too few to count that share, so it is
estimated from the mean and the standard deviation of their errors (`expected_within_pct`). With six subnets the share must be
certain, with thirteen more likely than not, and with 36 only possible. Simulated with normal errors, the same before and after
adapting, and a clock that repeats to 1 %:

    subnets truly within 5 %     99 %   95 %   90 %   85 %   79 %
    tables that pass with 13     90 %   54 %   28 %   12 %    7 %
    tables that pass with 36     10 %   42 %   35 %   16 %    3 %

With a clock that repeats to 2.5 %, the first column is 64 and 32 %, the second 47 and 37 %. So the check tells good tables from
bad ones, but not 93 from 97 %. It says nothing about the machine's speed later.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwnas.latency.device._device import Device
from hwnas.latency.profiling._sizes import by_size
from hwnas.latency.profiling._subnets import mixed_subnets
from hwnas.latency.profiling._whole import measure_subnets
from hwnas.latency.table._fidelity import (
    BAR_PCT,
    TOLERANCE_PCT,
    at_most_within_pct,
    expected_within_pct,
    fidelity,
)
from hwnas.latency.table._table import Anchor, LatencyTable
from hwnas.latency.timing._measure import Progress
from hwnas.latency.timing._noise import Load
from hwnas.latency.timing._runtime import Runtime
from hwnas.space import Population, SearchSpace

SUBNETS = 24
"""Subnets that ``profile --check`` measures, in half a minute."""

TWICE = 3
"""At least this many subnets, or a quarter of them, are loaded and timed twice, to measure how well the clock repeats."""

LEAST_NOISE_PCT = 1.0
"""Smallest noise of one measurement: the place of a session in memory moves its time by this much."""


@dataclass(frozen=True)
class Check:
    """Predictions compared with timed subnets.

    Attributes:
        predicted_ms, measured_ms: ``(n,)``.
        load: other load on the machine during the check.
        anchor_ms: median of the anchor's runs beside the subnets.
        when: the time of the check, in words.
    """

    predicted_ms: NDArray[np.float64]
    measured_ms: NDArray[np.float64]
    load: Load
    anchor_ms: float
    when: str = "now"

    @property
    def validation(self) -> Mapping[str, float]:
        """Errors of the predictions; see `fidelity`."""
        return fidelity(self.predicted_ms, self.measured_ms)

    @property
    def slowdown(self) -> float:
        """Median of measured over predicted times."""
        return float(np.median(self.measured_ms / self.predicted_ms))

    @property
    def expected_pct(self) -> float:
        """Expected percentage of new subnets within 5 % of the clock, beyond the clock's own noise."""
        return expected_within_pct(self.predicted_ms, self.measured_ms, self._noise_pct)

    @property
    def holds(self) -> bool:
        """Whether the predictions are probably good enough."""
        return self.expected_pct >= BAR_PCT

    @property
    def surely_holds(self) -> bool:
        """Whether the predictions are good enough even allowing for the small number of subnets."""
        return expected_within_pct(self.predicted_ms, self.measured_ms, self._noise_pct, cautious=True) >= BAR_PCT

    @property
    def may_hold(self) -> bool:
        """Whether the predictions may be good enough: False if good ones would look this bad less than once in twenty times."""
        return at_most_within_pct(self.predicted_ms, self.measured_ms, self._noise_pct) >= BAR_PCT

    @property
    def _noise_pct(self) -> float:
        return max(LEAST_NOISE_PCT, self.load.repeat_pct or 0.0)

    @property
    def words(self) -> str:
        """The result of the check, for messages."""
        errors = self.validation
        repeat_pct = self.load.repeat_pct
        noise = (
            "" if repeat_pct is None else f", beyond the clock's noise (one timed twice differs by {repeat_pct:.1f} %)"
        )
        return (
            f"{errors['n_validation']} subnets timed {self.when} are off by {errors['mape_pct']:.1f} % on average; "
            f"expect {self.expected_pct:.0f} % of others within {TOLERANCE_PCT:g} %{noise}"
        )


def check_table(
    table: LatencyTable,
    space: SearchSpace,
    x: Population,
    journal: str | os.PathLike[str],
    *,
    device: Device | None = None,
    anchor: Population | None = None,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> Check:
    """Time subnets by the wall clock, and compare them with a table's predictions.

    On a shared machine the speed jumps by a tenth and more between seconds. So each subnet is timed as a multiple of the
    anchor's time beside it, and the multiples are scaled by the anchor's median time.

    Args:
        table: covers the space's domain; its answers in its precision are checked.
        space: of the rows.
        x: ``(n, g)`` rows.
        journal: file that keeps the times; a second call with the same file measures only what is missing.
        device: of this machine; by default the table's.
        anchor: ``(g,)`` the subnet that runs beside the others; by default the middle row.
        progress: called after each group of subnets.
        runtime: runs the subnets; onnxruntime by default.

    Raises:
        TableError: the table does not cover the domain.
        DeviceError, DataError: as `measure_subnets`.
    """
    beside = space.network(x[len(x) // 2] if anchor is None else anchor)
    found = measure_subnets(
        device or table.device,
        space,
        x,
        journal,
        precision=table.precision,
        anchor=Anchor(beside, 1.0),  # so that times "at the table's speed" are multiples of the anchor's
        sessions=1,
        again=max(TWICE, len(x) // 4),
        progress=progress,
        runtime=runtime,
    )
    ratios = np.array([m.at_table_speed_ms for m in found.measurements], dtype=float)
    anchor_ms = 100 / (found.speed.pct or np.nan)
    return Check(table.cost(space)(x), ratios * anchor_ms, found.load, anchor_ms)


def machine_load(
    device: Device, space: SearchSpace, precision: str = "fp32", *, runtime: Runtime | None = None
) -> Load:
    """Time two subnets twice, to learn the load on a machine before minutes are spent on measuring.

    Raises:
        DeviceError: the device cannot run them.
    """
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        x = spanning_subnets(space, 2)
        return measure_subnets(
            device, space, x, Path(folder) / "load.jsonl", precision=precision, sessions=2, runtime=runtime
        ).load


def spanning_subnets(space: SearchSpace, n: int) -> Population:
    """``n`` distinct subnets of all sizes, ordered so that the first few span all sizes too."""
    pool = by_size(space, mixed_subnets(space, 4 * n, np.random.default_rng(5)))
    spread = pool[np.linspace(0, len(pool) - 1, min(n, len(pool))).round().astype(int)]
    # Bit reversal: 0, 8, 4, 12, 2, ... of 16.
    bits = max(1, (len(spread) - 1).bit_length())
    reversed_bits = sorted(range(len(spread)), key=lambda i: int(f"{i:0{bits}b}"[::-1], 2))
    chosen: Population = spread[reversed_bits]
    return chosen
