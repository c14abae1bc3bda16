"""The time of each layer of a network, from the times of its model's nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from hwnas.latency.profiling._attribute import attribute
from hwnas.latency.timing._block import ModelTimes, Times, median_times
from hwnas.latency.timing._runtime import NodeTimes
from hwnas.space import Network
from hwnas.space.ops import Convert

_LEAST = 0.1
"""A node keeps at least this share of its time in the profile."""

SlotTimes = dict[str, tuple[float, float, float]]
"""For each slot the 10th, 50th and 90th percentile of its layer's time, as multiples of the anchor's. The medians add up to the
network's time."""


@dataclass(frozen=True)
class NetworkTimes(Times):
    """Times of a network and of its layers; ``slots`` is None if nodes were not profiled, or do not show the layers."""

    slots: SlotTimes | None = None


def network_times(network: Network, times: ModelTimes) -> NetworkTimes:
    """Times of a network, and of its layers if its nodes were profiled."""
    slots = None if times.nodes is None else _slot_times(network, times.nodes, 1e3 * times.median_ms, times.ratio)
    return NetworkTimes(**{f.name: getattr(times, f.name) for f in fields(Times)}, slots=slots)


def median_network_times(sessions: Sequence[NetworkTimes]) -> NetworkTimes:
    """The median over the sessions of one network."""
    slots = None
    known = [s.slots for s in sessions if s.slots is not None]
    if len(known) == len(sessions):
        low, median, high = (
            {slot: float(np.median([times[slot][i] for times in known])) for slot in known[0]} for i in range(3)
        )
        slots = {slot: (low[slot], median[slot], high[slot]) for slot in known[0]}
    return NetworkTimes(**vars(median_times(sessions)), slots=slots)


def _slot_times(network: Network, runs: Sequence[NodeTimes], plain_us: float, ratio: float) -> SlotTimes | None:
    """Node times by slot without the profiler's overhead, so that they add up to ``ratio``.

    The profiler adds the same few microseconds to every node (onnxruntime issue 20238): 3.4-4.2 us on one CPU, which is 9 % of a
    large network's time and 23 % of a small network's. Scaling the sum alone would make networks of small nodes too slow.
    """
    slots = [slot for slot, _ in network]
    names = [name for name, _ in runs[0]] if runs else []
    boundaries = [slot for slot, layer in network if isinstance(layer.ops[0], Convert)]
    owners = attribute(names, slots, boundaries)
    if owners is None:
        return None
    alike = [run for run in runs if [name for name, _ in run] == names]
    nodes = np.array([[duration for _, duration in run] for run in alike])
    # The faster half of the runs: other processes slowed down the rest. Medians are taken per node, so that an interruption
    # affects only one node.
    total = nodes.sum(axis=1)
    nodes = nodes[total <= np.median(total)]
    added = max(0.0, (np.median(nodes, axis=0).sum() - plain_us) / len(names))
    nodes = np.maximum(nodes - added, _LEAST * nodes)
    layers = nodes @ np.eye(len(slots))[[slots.index(owner) for owner in owners]]
    shares = layers / np.maximum(layers.sum(axis=1, keepdims=True), 1e-9)
    low, median, high = np.quantile(shares, (0.1, 0.5, 0.9), axis=0) * ratio / np.median(shares, axis=0).sum()
    return {slot: (float(low[i]), float(median[i]), float(high[i])) for i, slot in enumerate(slots)}
