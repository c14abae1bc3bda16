"""An exported network, measured as the file it is."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np

from hwnas.graph import Network
from hwnas.latency.device._device import Device
from hwnas.latency.timing._measure import Anchor, Measurement, measure_networks
from hwnas.latency.timing._runtime import OnnxRuntime

SESSIONS = 2


class FileRuntime(OnnxRuntime):
    """onnxruntime that takes one network from a file, and builds all others."""

    def __init__(self, device: Device, network: Network, path: Path) -> None:
        super().__init__(device)
        self.network = network
        self.path = path

    def model(self, network: Network) -> bytes:
        return self.path.read_bytes() if network is self.network else super().model(network)


def measure_file(
    device: Device, network: Network, path: str | os.PathLike[str], *, anchor: Anchor | None = None
) -> Measurement:
    """Latency of an ONNX file that :func:`hwnas.supernet.export_onnx` wrote.

    Args:
        device: where.
        network: what the file holds.
        path: the file.
        anchor: of a table, to compare with its predictions; by default the speed of this moment.

    Raises:
        DeviceError: the device cannot run it.
    """
    runtime = FileRuntime(device, network, Path(path))
    anchor = anchor or Anchor(list(network))
    found = measure_networks(device, [network] * SESSIONS, anchor=anchor, runtime=runtime)
    means = {field.name: float(np.mean([getattr(m, field.name) for m in found])) for field in fields(Measurement)}
    return Measurement(means["median_ms"], means["p95_ms"], means["clock_ms"], sum(m.runs for m in found))
