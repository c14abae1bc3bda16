"""Whole networks, measured at a controlled speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.graph import Network
from hwnas.latency.device._device import Device
from hwnas.latency.timing._block import BLOCK, NetworkTimes, measure_block
from hwnas.latency.timing._runtime import OnnxRuntime, Runtime

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what is being done."""


@dataclass(frozen=True)
class Anchor:
    """The network others are compared with, and its time in ms at the reference speed."""

    network: Network
    median_ms: float | None = None


@dataclass(frozen=True)
class Measurement:
    """Latency of one network.

    Attributes:
        median_ms: at the reference speed; comparable between minutes, and with a table's predictions.
        p95_ms: 95th percentile of single runs, likewise.
        clock_ms: median of single runs, as the clock told it at the time.
        runs: how many.
    """

    median_ms: float
    p95_ms: float
    clock_ms: float
    runs: int


def measure_networks(
    device: Device,
    networks: Sequence[Network],
    *,
    anchor: Anchor | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> list[Measurement]:
    """Measure whole networks on a device.

    Args:
        device: where.
        networks: as ``SearchSpace.network`` gives them.
        anchor: reference; a table's ``anchor(space)`` makes the results comparable with its predictions.
            By default the network of median MACs, at the speed of this moment.
        seed: of the order of runs.
        progress: called after each few networks.
        runtime: what runs them; onnxruntime by default.

    Raises:
        DeviceError: the device cannot run a network.
    """
    if not networks:
        return []
    anchor = anchor or Anchor(sorted(networks, key=_macs)[len(networks) // 2])
    times: list[NetworkTimes] = []
    blocks = measured_blocks(runtime or OnnxRuntime(device), networks, anchor.network, rng=np.random.default_rng(seed))
    for block in blocks:
        times += block
        if progress is not None:
            progress(len(times), len(networks), "networks measured")
    reference = anchor.median_ms or float(np.median([t.anchor_ms for t in times]))
    return [Measurement(t.ratio * reference, t.tail * reference, t.median_ms, t.runs) for t in times]


def measured_blocks(
    runtime: Runtime,
    networks: Sequence[Network],
    anchor: Network,
    *,
    rng: np.random.Generator,
    layers: bool = False,
) -> Iterator[list[NetworkTimes]]:
    """Times of the networks in order, a block at a time."""
    for start in range(0, len(networks), BLOCK):
        block = networks[start : start + BLOCK]
        yield measure_block(runtime, block, anchor, rng=rng, layers=layers)


def _macs(network: Network) -> int:
    return sum(layer.macs for _, layer in network)
