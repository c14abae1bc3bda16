"""Measuring a handful of networks together: ratios to the anchor, and the share of every layer.

Sessions hold weights and buffers, so a few networks at a time are ready to run; one such block is
also what an interruption can lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.graph import Network
from hwnas.latency.profiling._attribute import attribute
from hwnas.latency.timing._loop import rounds_that_fit
from hwnas.latency.timing._runtime import NodeTimes, Runtime
from hwnas.latency.timing._timer import WARM_UPS, Samples, interleaved, timed, warm_up

BLOCK = 8
"""Networks ready to run at once."""

ROUNDS = (4, 32)
"""Fewest and most rounds; large networks get fewer, and need fewer. Between sessions a ratio differs by 1.2 % after 16
rounds of 7 ms runs and after 4 of 34 ms runs; on two threads, where the clock also tells what they waited, by 2.1 %
after 16 rounds of 5 ms runs."""

SECONDS_PER_NETWORK = 1.25

_LEAST = 0.1
"""No node is shortened below this share of what the profiler says."""


@dataclass(frozen=True)
class NetworkTimes:
    """What was measured of one network. Times are multiples of the anchor's time.

    Attributes:
        ratio: of the whole network.
        tail: 95th percentile of its single runs.
        median_ms: of its single runs by the clock.
        anchor_ms: median of the anchor's runs beside it, by the clock.
        runs: timed runs.
        slots: per slot the 10th, 50th and 90th percentile of its layer's time; medians add up to ``ratio``.
            None if not asked for, or the runtime does not tell.
    """

    ratio: float
    tail: float
    median_ms: float
    anchor_ms: float
    runs: int
    slots: dict[str, tuple[float, float, float]] | None = None


def measure_block(
    runtime: Runtime,
    networks: Sequence[Network],
    anchor: Network,
    *,
    rng: np.random.Generator,
    layers: bool = False,
) -> list[NetworkTimes]:
    """Time networks next to the anchor, in interleaved rounds.

    The anchor is loaded anew for each block, because where its memory lies moves its time, and so all ratios, by 1 %.

    Args:
        runtime: makes the sessions.
        networks: a few; all are in memory at once.
        anchor: the network they are compared with.
        rng: draws the orders.
        layers: also profile the nodes of each network and attribute them to its layers.
    """
    reference = runtime.session(anchor)
    sessions, profiled = [], []
    for network in networks:
        sessions.append(runtime.session(network))
        if layers:
            profiled.append(runtime.profiled(network))
    warm_up([reference, *sessions, *profiled])

    def beside(i: int) -> None:
        if profiled:
            timed(profiled[i], runtime.clock)

    everything = [reference, *sessions, *profiled]
    rounds = rounds_that_fit(everything, runtime.clock, ROUNDS, SECONDS_PER_NETWORK)
    samples = interleaved(sessions, reference, rounds=rounds, rng=rng, clock=runtime.clock, beside=beside)
    runs = [session.finish()[WARM_UPS:] for session in profiled] if layers else None
    return network_times(networks, samples, runs)


def network_times(
    networks: Sequence[Network], samples: Samples, profiled: Sequence[Sequence[NodeTimes]] | None
) -> list[NetworkTimes]:
    """What the raw times of a block tell.

    Args:
        networks: those of the samples, in order.
        samples: their times, and the anchor's beside them.
        profiled: per network the node times of its profiled runs; None if layers are not asked for.
    """
    ratios, tails, medians = samples.ratios(), samples.tails(), samples.medians_ms()
    return [
        NetworkTimes(
            ratio=float(ratios[i]),
            tail=float(tails[i]),
            median_ms=float(medians[i]),
            anchor_ms=samples.anchor_ms(),
            runs=samples.times.shape[0] * samples.times.shape[2],
            slots=_layer_times(network, profiled[i], 1e3 * float(medians[i]), float(ratios[i]))
            if profiled is not None
            else None,
        )
        for i, network in enumerate(networks)
    ]


def merged(sessions: Sequence[NetworkTimes]) -> NetworkTimes:
    """The mean over sessions of one network."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(s, name) for s in sessions]))

    slots = None
    known = [s.slots for s in sessions if s.slots is not None]
    if len(known) == len(sessions):
        low, median, high = (
            {slot: float(np.mean([times[slot][i] for times in known])) for slot in known[0]} for i in range(3)
        )
        slots = {slot: (low[slot], median[slot], high[slot]) for slot in known[0]}
    runs = sum(s.runs for s in sessions)
    return NetworkTimes(mean("ratio"), mean("tail"), mean("median_ms"), mean("anchor_ms"), runs, slots)


def _layer_times(
    network: Network, runs: Sequence[NodeTimes], plain_us: float, ratio: float
) -> dict[str, tuple[float, float, float]] | None:
    """Node times by layer, without what the profiler adds, so that they add up to ``ratio``.

    The profiler adds the same few microseconds to every node (onnxruntime issue 20238), which scaling would leave
    on networks of small nodes: 3.4-4.2 us each here, 9 % of a large network's time and 23 % of a small one's.
    """
    slots = [slot for slot, _ in network]
    names = [name for name, _ in runs[0]] if runs else []
    owners = attribute(names, slots)
    if owners is None:
        return None
    alike = [run for run in runs if [name for name, _ in run] == names]
    nodes = np.array([[duration for _, duration in run] for run in alike])
    # Of the faster half: others slowed down the rest. Medians by node: an interruption in one still tells the others.
    total = nodes.sum(axis=1)
    nodes = nodes[total <= np.median(total)]
    added = max(0.0, (np.median(nodes, axis=0).sum() - plain_us) / len(names))
    nodes = np.maximum(nodes - added, _LEAST * nodes)
    layers = nodes @ np.eye(len(slots))[[slots.index(owner) for owner in owners]]
    shares = layers / np.maximum(layers.sum(axis=1, keepdims=True), 1e-9)
    low, median, high = np.quantile(shares, (0.1, 0.5, 0.9), axis=0) * ratio / np.median(shares, axis=0).sum()
    return {slot: (float(low[i]), float(median[i]), float(high[i])) for i, slot in enumerate(slots)}
