"""Convolutions, and the batch norms after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import Conv
from hwnas.supernet.ops._run import Pass, folded, run
from hwnas.supernet.ops.normalisation import batch_norm, scale_and_shift


@run.register
def _conv(op: Conv, x: Sequence[Tensor], at: Pass) -> Tensor:
    (image,), (top, left, bottom, right) = x, op.pads
    even = (top, left) == (bottom, right)
    if not even:
        image = F.pad(image, (left, right, top, bottom))
    bias = at.weight("bias") if op.bias else None
    pads = (top, left) if even else (0, 0)
    y = F.conv2d(image, at.weight(), bias, op.stride, pads, op.dilation, op.groups)
    return batch_norm(y, at, "bn.") if op.bn else y


@folded.register
def _without_norm(op: Conv, tensors: Mapping[str, Tensor], eps: float) -> Mapping[str, Tensor]:
    if not op.bn:
        return tensors
    scale, shift = scale_and_shift(tensors, eps, "bn.")
    bias = tensors["bias"] * scale + shift if op.bias else shift
    return {"weight": tensors["weight"] * scale.reshape(-1, 1, 1, 1), "bias": bias}
