"""A table against the clock: whole subnets, timed here and now.

Whole subnets say more than single rows would: a layer that is timed alone runs on a warm cache, and it is the sum that
predictions are for. The bar is that 95 % of fresh subnets are within 5 % of the clock. A few subnets cannot count that;
what they can tell is the mean and the deviation of errors, and from these the share to expect (`expected_within_pct`).
Six subnets must make it certain, thirteen more likely than not, and 36 only have to leave it possible. Simulated with
normal errors (the same before and after adapting): of tables that truly have 99 % of subnets within 5 % of the clock,
90 % pass with thirteen subnets and the rest with 36; of those that have 95 %, 54 and 42 %; with 90 %, 28 and 35; with
85 %, 12 and 16; with 79 %, 7 and 3. Where a measurement is off by 2.5 % in place of 1, the first two are 64 and 32, and
47 and 37. So this tells good tables from bad ones, but not 93 from 97 %, nor what speed the machine will have later.
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
from hwnas.space import Population, SearchSpace, macs_cost

SUBNETS = 24
"""Subnets that ``profile --check`` measures: half a minute."""

TWICE = 3
"""Subnets at least that are loaded and timed twice, to tell how far the clock repeats itself; of many a quarter."""

LEAST_NOISE_PCT = 1.0
"""Of one measurement, however well it repeats: where a session's memory lies moves its time by so much."""


@dataclass(frozen=True)
class Check:
    """Predictions compared with timed subnets.

    Attributes:
        predicted_ms, measured_ms: ``(n,)``.
        load: what else the machine did meanwhile.
        anchor_ms: median of the anchor's runs beside them.
        when: they were timed, in words.
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
        """The share of fresh subnets to expect within 5 % of the clock, beyond what the clock itself moves."""
        return expected_within_pct(self.predicted_ms, self.measured_ms, self._noise_pct)

    @property
    def holds(self) -> bool:
        """Whether the predictions are more likely good enough than not."""
        return self.expected_pct >= BAR_PCT

    @property
    def surely_holds(self) -> bool:
        """Whether they are good enough with confidence, although the subnets are few."""
        return expected_within_pct(self.predicted_ms, self.measured_ms, self._noise_pct, cautious=True) >= BAR_PCT

    @property
    def may_hold(self) -> bool:
        """Whether they may be good enough: False only where good predictions would look so bad less than once in twenty
        times."""
        return at_most_within_pct(self.predicted_ms, self.measured_ms, self._noise_pct) >= BAR_PCT

    @property
    def _noise_pct(self) -> float:
        return max(LEAST_NOISE_PCT, self.load.repeat_pct or 0.0)

    @property
    def words(self) -> str:
        """For people."""
        told = self.validation
        repeat_pct = self.load.repeat_pct
        beyond = (
            ""
            if repeat_pct is None
            else f", beyond what the clock moves (timed twice, one differs by {repeat_pct:.1f} %)"
        )
        return (
            f"{told['n_validation']} subnets timed {self.when} are off by {told['mape_pct']:.1f} % on average; "
            f"{self.expected_pct:.0f} % of others are to be expected within {TOLERANCE_PCT:g} %{beyond}"
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
    """Time subnets by the wall clock, and compare with what a table predicts.

    Args:
        table: covers the space's domain; what is checked are its answers in its precision.
        space: of the rows.
        x: ``(n, g)`` rows.
        journal: file that keeps the times; called again with the same file, what it holds is not repeated.
        device: of this machine; by default the table's.
        anchor: ``(g,)`` the subnet that runs beside them; by default the middle one.
        progress: called after each few subnets.
        runtime: what runs them; onnxruntime by default.

    Raises:
        TableError: it does not cover the domain.
        DeviceError, DataError: as `measure_subnets`.
    """
    beside = x[len(x) // 2] if anchor is None else anchor
    measured_ms, anchor_ms, load = beside_anchor(
        device or table.device,
        space,
        x,
        beside,
        journal,
        precision=table.precision,
        again=max(TWICE, len(x) // 4),
        progress=progress,
        runtime=runtime,
    )
    return Check(table.cost(space)(x), measured_ms, load, anchor_ms)


def beside_anchor(
    device: Device,
    space: SearchSpace,
    x: Population,
    anchor: Population,
    journal: str | os.PathLike[str],
    *,
    precision: str = "fp32",
    again: int = 0,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> tuple[NDArray[np.float64], float, Load]:
    """``(n,)`` wall-clock times of subnets in ms at one speed, the anchor's, and what else the machine did.

    On a shared machine the speed jumps by a tenth and more between seconds. So each time is taken as a multiple of the
    anchor's beside it, and all of them at the anchor's median speed.

    Args:
        device: of this machine.
        space: of the rows.
        x: ``(n, g)`` rows.
        anchor: ``(g,)`` what runs beside them.
        journal: keeps the times; see `measure_subnets`, as for the rest.
        precision: what they compute in.
        again: how many of the first, which are all timed once, are timed once more.
        progress, runtime: as `measure_subnets`.
    """
    beside = Anchor(space.network(anchor), 1.0)  # times "at the table's speed" are then multiples of the anchor's
    found = measure_subnets(
        device,
        space,
        x,
        journal,
        precision=precision,
        anchor=beside,
        sessions=1,
        again=again,
        progress=progress,
        runtime=runtime,
    )
    ratios = np.array([m.at_table_speed_ms for m in found.measurements], dtype=float)
    anchor_ms = 100 / (found.speed.pct or np.nan)
    return ratios * anchor_ms, anchor_ms, found.load


def machine_load(
    device: Device, space: SearchSpace, precision: str = "fp32", *, runtime: Runtime | None = None
) -> Load:
    """Time two subnets twice, to see what else a machine does before minutes are spent on measuring.

    Raises:
        DeviceError: the device cannot run them.
    """
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        x = checked_subnets(space, 2)
        return measure_subnets(
            device, space, x, Path(folder) / "load.jsonl", precision=precision, sessions=2, runtime=runtime
        ).load


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
