"""Sorting of inner channels by importance, so that leading slices keep the important ones.

The whole network computes the same as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.space.ops import Conv, GroupNorm, Op
from hwnas.supernet.onnx._group import Group, Place
from hwnas.supernet.onnx._slot import ElasticSlot
from hwnas.supernet.onnx._widths import together

Weights = dict[str, NDArray[np.float32]]

TINY = 1e-30
"""Stands for the size of a group whose weights are all 0."""


def sorted_weights(
    slot: ElasticSlot, weights: Sequence[Mapping[str, NDArray[np.float32]]], eps: float
) -> list[Weights]:
    """A slot's weights with the channels of each group sorted by importance, most important first.

    A channel's importance is the norm of the weights that make it, including batch norms, times the norm of the weights that
    read it (Li et al. 2017, arXiv:1608.08710, use the former). The channels that a grouped convolution mixes move together; its
    filters read the sum of them. So do those that a group norm normalises, which have the size that its scale gives them.

    Args:
        slot: whose weights they are.
        weights: of each op, by part.
        eps: added to variances by batch norms.
    """
    found = [dict(each) for each in weights]
    for group in slot.groups:
        units = _importance(group, slot.ops, found, eps).reshape(-1, group.unit).sum(1)
        channels = np.arange(group.size).reshape(-1, group.unit)
        order = channels[np.argsort(-units, kind="stable")].reshape(-1)
        for place in (*group.makers, *group.passers):
            for part, array in found[place.op].items():
                found[place.op][part] = _reordered(array, place.start + order, place)
        for place in group.readers:
            columns = _columns(found[place.op]["weight"], place).swapaxes(0, 1)
            ordered = _reordered(columns, place.start + order, place).swapaxes(0, 1)
            found[place.op]["weight"] = ordered.reshape(found[place.op]["weight"].shape)
    return found


def _reordered(rows: NDArray[np.float32], order: NDArray[np.intp], place: Place) -> NDArray[np.float32]:
    """Rows of which those at a place have another order."""
    whole = np.arange(len(rows))
    whole[place.start : place.start + len(order)] = order
    return rows[whole]


def _importance(group: Group, ops: Sequence[Op], weights: Sequence[Weights], eps: float) -> NDArray[np.float64]:
    def own(sizes: NDArray[np.float64], place: Place) -> NDArray[np.float64]:
        return sizes[place.start : place.start + group.size]

    made = np.asarray(sum(own(_size(weights[place.op], eps), place) for place in group.makers), dtype=np.float64)
    for place in sorted(group.passers):
        op = ops[place.op]
        if isinstance(op, GroupNorm):
            rows = made.reshape(-1, together(op))
            made = (rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(TINY)).reshape(-1)
        elif isinstance(op, Conv):
            made = made.reshape(-1, together(op)).sum(1).repeat(together(op))
        if "weight" in weights[place.op]:  # a PRelu's slope does not scale positive values
            made = made * own(_size(weights[place.op], eps), place)
    columns = ((_columns(weights[place.op]["weight"], place), place) for place in group.readers)
    return made * sum(own(_norms(each.swapaxes(0, 1)), place) for each, place in columns)


def _columns(weight: NDArray[np.float32], place: Place) -> NDArray[np.float32]:
    """``(out, channels, numbers per channel)``: of a kernel, or of a feature map that was flattened."""
    return weight.reshape(len(weight), place.whole, -1)


def _size(weights: Weights, eps: float) -> NDArray[np.float64]:
    """``(channels,)`` norms of an op's weights by output channel, with its batch norm applied."""
    size = _norms(weights["weight"])
    for prefix, scale in (("bn.", weights.get("bn.weight", 1.0)), ("", 1.0)):
        variance = weights.get(f"{prefix}running_var")
        if variance is not None:
            size = size * np.abs(scale) / np.sqrt(variance.astype(np.float64) + eps)
    return size


def _norms(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.linalg.norm(rows.reshape(len(rows), -1).astype(np.float64), axis=1)
    return found
