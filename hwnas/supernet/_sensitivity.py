"""How sensitive each layer is to int8, measured before a search of precisions."""

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
"""Images that layers are compared on: one that decides otherwise is 0.4 %."""


def sensitivity(supernet: Supernet, space: SearchSpace, data: Task, images: int = IMAGES) -> list[Blamed]:
    """Every layer of the largest subnet, alone in int8, in network order.

    Args:
        supernet: of weights, in a space whose layers have precisions of their own.
        space: that space; the subnet is the largest of its domain.
        data: to calibrate with; the first of its calibration data are what decisions are compared on.
        images: how many of them.

    Raises:
        DataError: there are none.
    """
    subnet, _ = calibrated(supernet, largest_in_int8(space), data)
    plain = build_model(subnet.network, weights=folded_weights(subnet))
    slots = [s for s, layer in subnet.network if layer.precision == "int8" and not isinstance(layer.ops[0], Convert)]

    def batches() -> Iterable[Inputs]:
        return data.calibration(subnet.inputs)

    ranges = ranges_on(plain, subnet.network, batches())
    return alone_in_int8(plain, ranges, batches, slots, images)


def largest_in_int8(space: SearchSpace) -> NDArray[np.int16]:
    """The ``(g,)`` row of most MACs of a domain, with every layer in int8 where that is a choice, else in its last
    precision."""
    row = macs_cost(space).maximum()[1].copy()
    for column, gene in enumerate(space.genes):
        if gene.role == "precision":
            left = space.domain[column].tolist()
            row[column] = next((i for i in left if gene.choices[i] == "int8"), left[-1])
    found: NDArray[np.int16] = space.canonical(row[None])[0]
    return found
