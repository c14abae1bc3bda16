"""Subnets of a front, measured as whole networks, killed or not."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hwnas.io import Journal
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._journaled import TIMING, JournaledTimer, model_of
from hwnas.latency.profiling._methods import named, row_name
from hwnas.latency.table._table import Anchor
from hwnas.latency.timing._alone import alone
from hwnas.latency.timing._block import Times, middle_of
from hwnas.latency.timing._measure import Measurement, Progress, Speed
from hwnas.latency.timing._noise import Load, repeat_pct
from hwnas.latency.timing._runtime import OnnxRuntime, Runtime
from hwnas.progress import notice, resumable
from hwnas.space import Population, SearchSpace, macs_cost

SESSIONS = 2
"""How often each subnet is loaded and timed anew: where its memory lies moves its time by 1 %."""

WHOLE = "whole subnets"
"""The stage that journals and bundles call them."""


@dataclass(frozen=True)
class MeasuredSubnets:
    """Latencies of subnets.

    Attributes:
        measurements: one per row.
        speed: of the machine meanwhile.
        load: what else the machine did meanwhile.
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
    """Measure subnets next to an anchor, each block of a few on disk before the next begins.

    Waits while another process times networks on this machine.

    Args:
        device: where.
        space: of the rows.
        x: ``(n, g)`` canonical rows; equal ones are measured once.
        journal: file that keeps the times; called again with the same file, what it holds is not repeated.
        precision: what they compute in, and the anchor too.
        anchor: a table's ``anchor(space)`` also tells what the times would be at the table's speed; by default the
            subnet of median MACs.
        sessions: how often each subnet is loaded and timed anew.
        again: how many of the first rows are loaded and timed once more, to tell how far times repeat.
        seed: of the order of runs.
        progress: called after each few networks.
        runtime: what runs them; onnxruntime by default.

    Raises:
        DeviceError: the device cannot run a network, or does not compute in the precision.
        DataError: the journal cannot be written, or is of other conditions.
    """
    if not len(x):
        return MeasuredSubnets([], Speed.of([1.0], None))
    if anchor is None:
        anchor = Anchor(space.network(middle(space, x)))
    identity = {
        "kind": "whole subnets",
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
        networks = named(space, x)
        twice = dict(list(networks.items())[:again])
        timer.steps = len(networks) * sessions + len(twice)
        with resumable(lambda: f"{len(file.entries)} of {timer.steps} timings are kept in {journal}"):
            timer.measure(WHOLE, networks)
            timer.measure(WHOLE, twice, sessions=sessions + 1)
            elsewhere = runtime.elsewhere(modelled(anchor.network))
    return summed_up(timer.times, x, anchor.median_ms, elsewhere)


def summed_up(
    times: Mapping[tuple[str, str, int], Times],
    x: Population,
    anchor_ms: float | None = None,
    elsewhere: Mapping[str, int] | None = None,
) -> MeasuredSubnets:
    """What times tell of subnets, and of the machine.

    Args:
        times: by stage, name and session.
        x: ``(n, g)`` rows.
        anchor_ms: the anchor's time at the speed of a table, if there is one.
        elsewhere: see `MeasuredSubnets`.
    """
    speed = Speed.of([t.anchor_ms for t in times.values()], anchor_ms)
    repeats = repeat_pct({which: t.ratio for which, t in times.items()})
    load = Load(100 * float(np.mean([t.waited for t in times.values()])), repeats, speed.low_pct, speed.high_pct)
    sessions: dict[str, list[Times]] = defaultdict(list)
    for (_, name, _), each in times.items():
        sessions[name].append(each)
    found = [Measurement.of(middle_of(sessions[row_name(row)]), anchor_ms) for row in x]
    return MeasuredSubnets(found, speed, load, elsewhere or {})


def middle(space: SearchSpace, x: Population) -> Population:
    """``(g,)`` the row of median MACs."""
    chosen: Population = x[np.argsort(macs_cost(space)(x), kind="stable")[len(x) // 2]]
    return chosen
