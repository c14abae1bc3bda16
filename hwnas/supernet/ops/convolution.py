"""Convolutions, and the batch norms after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import Conv
from hwnas.supernet.ops._depthwise import Depthwise
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
    weight = at.weight()
    if _learns_depthwise(image, weight, bias, op.groups):
        y: Tensor = Depthwise.apply(image, weight, op.stride, pads, op.dilation)  # type: ignore[no-untyped-call] # torch's
    else:
        y = F.conv2d(image, weight, bias, op.stride, pads, op.dilation, op.groups)
    return batch_norm(y, at, "bn.") if op.bn else y


def _learns_depthwise(image: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> bool:
    channels = image.shape[1]
    plain = bias is None and image.is_cpu and image.dtype == weight.dtype and not torch.is_autocast_enabled("cpu")
    return plain and groups == channels == len(weight) > 1 and torch.is_grad_enabled() and weight.requires_grad


@folded.register
def _without_norm(op: Conv, tensors: Mapping[str, Tensor], eps: float) -> Mapping[str, Tensor]:
    if not op.bn:
        return tensors
    scale, shift = scale_and_shift(tensors, eps, "bn.")
    bias = tensors["bias"] * scale + shift if op.bias else shift
    return {"weight": tensors["weight"] * scale.reshape(-1, 1, 1, 1), "bias": bias}
