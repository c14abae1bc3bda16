"""Metrics that are computed from the layers of a subnet: MACs, parameters, memory, and those of plug-ins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.metric import metrics
from hwnas.space._cost import macs_cost, params_cost
from hwnas.space._memory import PeakMemory
from hwnas.space._space import SearchSpace

Count = Callable[[NDArray[Any]], NDArray[np.float64]]

_COUNTS: dict[str, Callable[[SearchSpace, int], Count]] = {
    "macs": lambda space, _: macs_cost(space),
    "params": lambda space, _: params_cost(space),
    "memory": PeakMemory,
}
"""By name of the metric; called with the space and the number of images per run."""


def layer_metrics(space: SearchSpace, batch: int) -> dict[str, Count]:
    """All metrics of layers, by column: functions of ``(n, g)`` rows.

    Args:
        space: with layers.
        batch: images per run.
    """
    found = {}
    for metric in metrics().values():
        count = metric.count or _COUNTS.get(metric.name)
        if metric.source == "layers" and count is not None:
            found[metric.column] = count(space, batch)
    return found
