"""Sorting of inner channels by importance, so that leading slices keep the important ones.

The whole network computes the same as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.space.ops import Conv, GroupNorm, Op
from hwnas.supernet.onnx._slot import ElasticSlot
from hwnas.supernet.onnx._widths import Group, together

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
        for i in {*group.makers, *group.passers}:
            found[i] = {part: array[order] for part, array in found[i].items()}
        for i in group.readers:
            weight = found[i]["weight"]
            found[i]["weight"] = _columns(weight, group)[:, order].reshape(weight.shape)
    return found


def _importance(group: Group, ops: Sequence[Op], weights: Sequence[Weights], eps: float) -> NDArray[np.float64]:
    found = np.asarray(sum(_size(weights[i], eps) for i in group.makers), dtype=np.float64)
    for i in sorted(group.passers):
        op = ops[i]
        if isinstance(op, GroupNorm):
            rows = found.reshape(op.groups, -1)
            found = (rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(TINY)).reshape(-1)
        elif isinstance(op, Conv):
            found = found.reshape(op.groups, -1).sum(1).repeat(together(op))
        if "weight" in weights[i]:  # a PRelu's slope does not scale positive values
            found = found * _size(weights[i], eps)
    return found * sum(_norms(_columns(weights[i]["weight"], group).swapaxes(0, 1)) for i in group.readers)


def _columns(weight: NDArray[np.float32], group: Group) -> NDArray[np.float32]:
    """``(out, channels, numbers per channel)``: of a kernel, or of a feature map that was flattened."""
    return weight.reshape(len(weight), group.size, -1)


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
