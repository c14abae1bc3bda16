"""Sorting of inner channels by importance, so that leading slices keep the important ones.

The whole network computes the same as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.supernet.onnx._slot import ElasticSlot
from hwnas.supernet.onnx._widths import Group

Weights = dict[str, NDArray[np.float32]]


def sorted_weights(
    slot: ElasticSlot, weights: Sequence[Mapping[str, NDArray[np.float32]]], eps: float
) -> list[Weights]:
    """A slot's weights with the channels of each group sorted by importance, most important first.

    A channel's importance is the norm of the weights that make it, including batch norms, times the norm of the weights that
    read it (Li et al. 2017, arXiv:1608.08710, use the former).

    Args:
        slot: whose weights they are.
        weights: of each op, by part.
        eps: added to variances by batch norms.
    """
    found = [dict(each) for each in weights]
    for group in slot.groups:
        order = np.argsort(-_importance(group, found, eps), kind="stable")
        for i in {*group.makers, *group.passers}:
            found[i] = {part: array[order] for part, array in found[i].items()}
        for i in group.readers:
            found[i]["weight"] = np.ascontiguousarray(found[i]["weight"][:, order])
    return found


def _importance(group: Group, weights: Sequence[Weights], eps: float) -> NDArray[np.float64]:
    made = sum(_size(weights[i], eps) for i in group.makers)
    read = sum(_norms(weights[i]["weight"].swapaxes(0, 1)) for i in group.readers)
    found = np.asarray(made * read, dtype=np.float64)
    for i in group.passers:
        if "weight" in weights[i]:  # a PRelu's slope does not scale positive values
            found = found * _size(weights[i], eps)
    return found


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
