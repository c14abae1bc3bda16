"""Measuring subnets as whole networks; an interrupted measurement resumes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hwnas.io import Journal
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._methods import networks_by_name, row_name
from hwnas.latency.profiling._sizes import middle
from hwnas.latency.profiling._timer import TIMING, JournaledTimer, model_of
from hwnas.latency.table._table import Anchor
from hwnas.latency.timing._alone import alone
from hwnas.latency.timing._block import Times, median_times
from hwnas.latency.timing._measure import Measurement, Progress, Speed
from hwnas.latency.timing._noise import Load, repeat_pct
from hwnas.latency.timing._runtime import OnnxRuntime, Runtime
from hwnas.progress import notice, resumable
from hwnas.space import Population, SearchSpace

SESSIONS = 2
"""How often each subnet is loaded and timed: its place in memory moves its time by 1 %."""

WHOLE = "whole subnets"
"""The stage's name in journals and bundles."""


@dataclass(frozen=True)
class MeasuredSubnets:
    """Latencies of subnets.

    Attributes:
        measurements: one per row.
        speed: of the machine during the measurement.
        load: other load on the machine during the measurement.
        elsewhere: operators of the anchor that ran on another provider than the device's; see `Runtime`.
    """

    measurements: Sequence[Measurement]
    speed: Speed
    load: Load = field(default_factory=Load)
    elsewhere: Mapping[str, int] = field(default_factory=dict)


@alone(notice)
def measure_subnets(
    device: Device,
    space: SearchSpace,
    x: Population,
    journal: str | os.PathLike[str],
    *,
    precision: str = "fp32",
    anchor: Anchor | None = None,
    sessions: int = SESSIONS,
    again: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> MeasuredSubnets:
    """Measure subnets beside an anchor, a few at a time.

    Waits while another process times networks on this machine.

    Args:
        device: the device to measure on.
        space: of the rows.
        x: ``(n, g)`` canonical rows; equal rows are measured once.
        journal: file that keeps the times; a second call with the same file measures only what is missing.
        precision: of the subnets and the anchor.
        anchor: by default the subnet of median MACs. A table's ``anchor(space)`` also gives the times at the table's speed.
        sessions: how often each subnet is loaded and timed.
        again: number of rows, from the first, that are loaded and timed once more, to measure how well times repeat.
        seed: of the order of runs.
        progress: called after each group of networks.
        runtime: runs the networks; onnxruntime by default.

    Raises:
        DeviceError: the device cannot run a network, or does not compute in the precision.
        DataError: the journal cannot be written, or was made under other conditions.
    """
    if not len(x):
        return MeasuredSubnets([], Speed.of([1.0], None))
    if anchor is None:
        anchor = Anchor(space.network(middle(space, x)))
    identity = {
        "kind": WHOLE,
        "device": device.to_json(),
        "precision": precision,
        "space": space.name,
        "fingerprint": space.fingerprint,
        "anchor": [layer.key for _, layer in anchor.network],
        "timing": TIMING,
    }
    modelled = model_of(device, precision)
    with Journal(Path(journal), identity) as file:
        runtime = runtime or OnnxRuntime(device)
        timer = JournaledTimer(runtime, modelled, anchor.network, file, sessions, seed, progress)
        networks = networks_by_name(space, x)
        twice = dict(list(networks.items())[:again])
        timer.steps = len(networks) * sessions + len(twice)
        with resumable(lambda: f"{len(file.entries)} of {timer.steps} timings are kept in {journal}"):
            timer.measure(WHOLE, networks)
            timer.measure(WHOLE, twice, sessions=sessions + 1)
            elsewhere = runtime.elsewhere(modelled(anchor.network))
    return subnet_latencies(timer.times, x, anchor.median_ms, elsewhere)


def subnet_latencies(
    times: Mapping[tuple[str, str, int], Times],
    x: Population,
    anchor_ms: float | None = None,
    elsewhere: Mapping[str, int] | None = None,
) -> MeasuredSubnets:
    """The latencies of subnets and the state of the machine, from all times.

    Args:
        times: by stage, name and session.
        x: ``(n, g)`` rows.
        anchor_ms: the anchor's time at a table's speed, if there is a table.
        elsewhere: see `MeasuredSubnets`.
    """
    speed = Speed.of([t.anchor_ms for t in times.values()], anchor_ms)
    repeats = repeat_pct({which: t.ratio for which, t in times.items()})
    load = Load(100 * float(np.mean([t.waited for t in times.values()])), repeats, speed.low_pct, speed.high_pct)
    sessions: dict[str, list[Times]] = defaultdict(list)
    for (_, name, _), each in times.items():
        sessions[name].append(each)
    found = [Measurement.of(median_times(sessions[row_name(row)]), anchor_ms) for row in x]
    return MeasuredSubnets(found, speed, load, elsewhere or {})
