"""Two methods that give layers their times, as multiples of the anchor's: inside whole subnets, or one by one with a scale."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.latency.profiling._timer import Timer
from hwnas.space import LayerSpec, Network, Population, SearchSpace

IN_CONTEXT, ISOLATED, CALIBRATION, VALIDATION = "in context", "one by one", "calibration", "validation"
"""Stages of a profile, as the journal and the progress name them."""

COVER_SESSIONS = 1
"""How often a covering subnet is loaded. Once is enough, because each layer occurs in several of them."""

ALONE_SESSIONS = 1
"""How often a layer is loaded alone. Once is enough, because whole subnets calibrate its time: on OpenVINO, after calibration by
45 subnets, predictions of 60 others err by 1.4 % with one session and with two, and by 2.5 % without calibration."""


@dataclass(frozen=True)
class LayerTime:
    """Percentiles of a layer's time over ``runs`` runs, as multiples of the anchor's."""

    p10: float
    median: float
    p90: float
    runs: int

    def scaled(self, factor: float) -> LayerTime:
        """The time multiplied by a factor, which may be negative: see `hwnas.latency.table._adapt`."""
        low, high = sorted((self.p10 * factor, self.p90 * factor))
        return replace(self, p10=low, median=self.median * factor, p90=high)


def row_name(row: NDArray[Any]) -> str:
    """Name of a subnet in the journal."""
    return json.dumps(row.tolist())


def networks_by_name(space: SearchSpace, rows: Population) -> dict[str, Network]:
    """The networks of subnets by `row_name`."""
    return {row_name(row): space.network(row) for row in rows}


def in_context(timer: Timer, networks: Mapping[str, Network]) -> dict[str, LayerTime] | None:
    """Times of all layers by key, from the node times of ``networks``: the mean over all occurrences of a layer.

    Returns:
        None if the runtime's profile does not show the layers.
    """
    # The first subnet shows whether profiles resolve layers, before time is spent on the others.
    (first,) = timer.measure(
        IN_CONTEXT, dict(list(networks.items())[:1]), layers=True, sessions=COVER_SESSIONS
    ).values()
    if first.slots is None:
        return None
    times = timer.measure(IN_CONTEXT, networks, layers=True, sessions=COVER_SESSIONS)
    seen: dict[str, list[LayerTime]] = defaultdict(list)
    for name, network in networks.items():
        slots = times[name].slots
        if slots is None:
            return None
        for slot, layer in network:
            seen[layer.key].append(LayerTime(*slots[slot], runs=times[name].runs))
    return {key: _mean(occurrences) for key, occurrences in seen.items()}


def scaled_alone(
    timer: Timer, space: SearchSpace, networks: Mapping[str, Network], ratios: Mapping[str, float]
) -> dict[str, LayerTime]:
    """Times of all layers run alone, where they have a warm cache, scaled so that their sums agree with whole networks."""
    return scaled(timed_alone(timer, ISOLATED, list(space.layers().values())), networks, ratios)


def timed_alone(timer: Timer, stage: str, layers: Sequence[LayerSpec]) -> dict[str, LayerTime]:
    """Times by key of layers that are timed as networks of one layer."""
    times = timer.measure(stage, {layer.key: [("layer", layer)] for layer in layers}, sessions=ALONE_SESSIONS)
    return {key: LayerTime(t.ratio, t.ratio, max(t.p95_ms / t.anchor_ms, t.ratio), t.runs) for key, t in times.items()}


def scaled(
    times: Mapping[str, LayerTime], networks: Mapping[str, Network], ratios: Mapping[str, float]
) -> dict[str, LayerTime]:
    """Layer times times one factor: the median ratio of a network's time to the sum of its layers."""
    sums = {name: sum(times[layer.key].median for _, layer in network) for name, network in networks.items()}
    scale = float(np.median([ratios[name] / sums[name] for name in networks]))
    return {key: time.scaled(scale) for key, time in times.items()}


def _mean(times: Sequence[LayerTime]) -> LayerTime:
    def mean(name: str) -> float:
        return float(np.mean([getattr(t, name) for t in times]))

    return LayerTime(mean("p10"), mean("median"), mean("p90"), sum(t.runs for t in times))
