"""Sensitivity of each layer to int8, measured before a search of precisions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hwnas.graph import build_model
from hwnas.space import SearchSpace, macs_cost
from hwnas.space.ops import Convert
from hwnas.supernet._agreement import Blamed, alone_in_int8
from hwnas.supernet._base import Supernet
from hwnas.supernet._evaluate import calibrated
from hwnas.supernet._feeds import ranges_on
from hwnas.supernet._subnet import folded_weights
from hwnas.task import Inputs, Task

IMAGES = 256
"""Images to compare layers on; a single changed prediction is 0.4 %."""


def sensitivity(supernet: Supernet, space: SearchSpace, data: Task, images: int = IMAGES) -> list[Blamed]:
    """The agreement with fp32 of the largest subnet with one layer in int8, for each layer in network order.

    Args:
        supernet: in a space whose layers choose their precisions.
        space: its space, perhaps restricted; the subnet is the largest of its domain.
        data: to calibrate with; predictions are compared on the first calibration images.
        images: how many of these.

    Raises:
        DataError: there are no images.
    """
    subnet, _ = calibrated(supernet, largest_in_int8(space), data)
    plain = build_model(subnet.network, weights=folded_weights(subnet))
    slots = [s for s, layer in subnet.network if layer.precision == "int8" and not isinstance(layer.ops[0], Convert)]

    def batches() -> Iterable[Inputs]:
        return data.calibration(subnet.inputs)

    ranges = ranges_on(plain, subnet.network, batches())
    return alone_in_int8(plain, ranges, batches, slots, images)


def largest_in_int8(space: SearchSpace) -> NDArray[np.int16]:
    """The ``(g,)`` row with the most MACs. Every layer is in int8 if that is a choice, else in its last precision."""
    row = macs_cost(space).maximum()[1].copy()
    for column, gene in enumerate(space.genes):
        if gene.role == "precision":
            allowed = space.domain[column].tolist()
            row[column] = next((i for i in allowed if gene.choices[i] == "int8"), allowed[-1])
    found: NDArray[np.int16] = space.canonical(row[None])[0]
    return found
