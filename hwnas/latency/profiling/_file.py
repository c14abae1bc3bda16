"""An exported model, measured as the file it is."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from hwnas.graph import Model
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._journaled import model_of
from hwnas.latency.table._table import Anchor
from hwnas.latency.timing._alone import alone
from hwnas.latency.timing._block import middle_of
from hwnas.latency.timing._measure import Measurement, measure_all
from hwnas.latency.timing._runtime import OnnxRuntime
from hwnas.progress import notice

SESSIONS = 2
"""How often the file is loaded and timed anew."""


@alone(notice)
def measure_file(
    device: Device,
    path: str | os.PathLike[str],
    *,
    anchor: Anchor | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Measurement:
    """Latency of an ONNX file, whoever wrote it.

    Args:
        device: where.
        path: the file; sizes that it leaves open are the device's batch.
        anchor: of a table in the file's precision, to tell the speed; without one the file is its own.
        sizes: of open axes by name, in place of what the file tells of itself.

    Raises:
        DataError: it cannot be read. DeviceError: the device cannot run it.
    """
    model = Model.read(path, batch=device.batch, sizes=sizes)
    reference = model_of(device, model.precision)(anchor.network) if anchor is not None else model
    runtime, rng = OnnxRuntime(device), np.random.default_rng(0)
    found = [
        times
        for _ in range(SESSIONS)
        for few in measure_all(runtime, iter([model]), reference, rng=rng)
        for times in few
    ]
    return Measurement.of(middle_of(found), None if anchor is None else anchor.median_ms)
