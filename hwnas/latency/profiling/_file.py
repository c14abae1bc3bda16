"""An exported model, measured as the file it is."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from hwnas.graph import Model
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._timer import model_of
from hwnas.latency.table._table import Anchor
from hwnas.latency.timing._alone import alone
from hwnas.latency.timing._block import median_times
from hwnas.latency.timing._measure import Measurement, measure_all
from hwnas.latency.timing._runtime import OnnxRuntime
from hwnas.progress import notice

SESSIONS = 2
"""How often the file is loaded and timed."""


@alone(notice)
def measure_file(
    device: Device, path: str | os.PathLike[str], *, anchor: Anchor | None, sizes: Mapping[str, int] | None
) -> Measurement:
    """Latency of any ONNX file.

    Args:
        device: the device to measure on.
        path: the file; axes without a known size get the device's batch size.
        anchor: of a table in the file's precision, which shows the machine's speed; None if there is no table.
        sizes: of open axes by name; None for the sizes in the file's metadata.

    Raises:
        DataError: the file cannot be read. DeviceError: the device cannot run it.
    """
    model = Model.read(path, batch=device.batch, sizes=sizes)
    beside = model_of(device, model.precision)(anchor.network) if anchor is not None else model
    runtime, rng = OnnxRuntime(device), np.random.default_rng(0)
    found = [
        times for _ in range(SESSIONS) for few in measure_all(runtime, iter([model]), beside, rng=rng) for times in few
    ]
    return Measurement.of(median_times(found), None if anchor is None else anchor.median_ms)
