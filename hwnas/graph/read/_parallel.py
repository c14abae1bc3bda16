"""Sums of parallel convolutions become one convolution, as RepVGG and MobileOne are deployed (Ding et al. 2021, arXiv:2101.03697).

Convolutions are linear: filters of a smaller kernel are the centre of larger ones, and a batch norm of the input itself is a
convolution with a single pixel per channel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwnas.graph.read._tidy import Draft
from hwnas.space.ops import Add, BatchNorm, Conv


@dataclass(frozen=True)
class _Branch:
    """A convolution of a sum.

    Attributes:
        x: number of its input.
        op: without its norm.
        weight, bias: with its norm folded into them.
    """

    x: int
    op: Conv
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]


def merge_parallel(draft: Draft, eps: float) -> None:
    """Replace sums of convolutions of one value by one convolution each.

    Args:
        draft: whose norms are folded.
        eps: of batch norms.
    """
    uses = draft.uses()
    for i, op in enumerate(draft.ops):
        numbers = draft.inputs(i) if isinstance(op, Add) and uses[i + 1] else ()
        if not numbers or any(not number or uses[number] != 1 for number in numbers):
            continue
        convolutions = [found for number in numbers if (found := _branch(draft, number, eps)) is not None]
        like = convolutions[0].op if convolutions else None
        branches = [found for number in numbers if (found := _branch(draft, number, eps, like)) is not None]
        if len(branches) == len(numbers) and (total := _sum(*sorted(branches, key=lambda each: each.op.kernel))):
            draft.ops[i] = replace(total.op, name=op.name, inputs=(total.x,), bias=True, bn=False)
            draft.weights[i] = {"weight": total.weight.astype(np.float32), "bias": total.bias.astype(np.float32)}


def _branch(draft: Draft, number: int, eps: float, like: Conv | None = None) -> _Branch | None:
    """The convolution that computes a value, or the batch norm as a convolution ``like`` another one; None for other ops."""
    op, own = draft.ops[number - 1], draft.weights[number - 1]
    if isinstance(op, Conv) and op.dilation == (1, 1):
        conv, weight, prefix = op, own["weight"].astype(np.float64), "bn."
    elif isinstance(op, BatchNorm) and like is not None and op.in_shape == like.in_shape:
        (channels, *_), size = op.in_shape, like.in_shape[0] // like.groups
        conv = replace(like, channels=channels, kernel=(1, 1), stride=(1, 1), pads=(0, 0, 0, 0))
        weight, prefix = np.zeros((channels, size, 1, 1)), ""
        weight[np.arange(channels), np.arange(channels) % size] = 1
    else:
        return None
    bias = own["bias"].astype(np.float64) if prefix and "bias" in own else np.zeros(conv.channels)
    if f"{prefix}running_var" in own:
        scale = own[f"{prefix}weight"] / np.sqrt(own[f"{prefix}running_var"].astype(np.float64) + eps)
        bias = (bias - own[f"{prefix}running_mean"]) * scale + own[f"{prefix}bias"]
        weight = weight * scale.reshape(-1, 1, 1, 1)
    (x,) = draft.inputs(number - 1)
    return _Branch(x, conv, weight, bias)


def _sum(small: _Branch, large: _Branch) -> _Branch | None:
    """Both as one convolution, if the filters of ``small`` can be the centre of the others."""
    down, right = (a - b for a, b in zip(large.op.kernel, small.op.kernel, strict=True))
    margins = (down // 2, right // 2, down - down // 2, right - right // 2)
    moved = tuple(a - b for a, b in zip(large.op.pads, small.op.pads, strict=True))
    same = all(getattr(large.op, key) == getattr(small.op, key) for key in ("channels", "stride", "groups"))
    if small.x != large.x or not same or moved != margins:
        return None
    top, left, bottom, right = margins
    weight = large.weight + np.pad(small.weight, ((0, 0), (0, 0), (top, bottom), (left, right)))
    return replace(large, weight=weight, bias=large.bias + small.bias)
