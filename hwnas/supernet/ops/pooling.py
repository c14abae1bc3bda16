"""Pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import (
    AvgPool,
    ChannelMax,
    ChannelMean,
    GlobalMaxPool,
    GlobalPool,
    MaxPool,
    MeanTokens,
    PaddedAvgPool,
    Pool,
)
from hwnas.supernet.ops._run import Pass, run


@run.register
def _max_pool(op: MaxPool, x: Sequence[Tensor], at: Pass) -> Tensor:
    top, left, bottom, right = op.pads
    if (top, left) == (bottom, right) and 2 * top <= op.kernel[0] and 2 * left <= op.kernel[1]:
        return F.max_pool2d(x[0], op.kernel, op.stride, (top, left), ceil_mode=op.ceil)
    return F.max_pool2d(_padded(op, x[0], -math.inf), op.kernel, op.stride, ceil_mode=op.ceil)


@run.register
def _avg_pool(op: AvgPool, x: Sequence[Tensor], at: Pass) -> Tensor:
    if not any(op.pads):
        return F.avg_pool2d(x[0], op.kernel, op.stride, 0, ceil_mode=op.ceil)
    inside = torch.ones_like(x[0][:1, :1])
    total, count = (
        F.avg_pool2d(_padded(op, values, 0.0), op.kernel, op.stride, ceil_mode=op.ceil) for values in (x[0], inside)
    )
    return total / count


@run.register
def _padded_avg_pool(op: PaddedAvgPool, x: Sequence[Tensor], at: Pass) -> Tensor:
    return F.avg_pool2d(_padded(op, x[0], 0.0), op.kernel, op.stride)


def _padded(op: Pool, x: Tensor, value: float) -> Tensor:
    top, left, bottom, right = op.pads
    return F.pad(x, (left, right, top, bottom), value=value) if any(op.pads) else x


@run.register
def _global_pool(op: GlobalPool, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].mean((2, 3), keepdim=True)


@run.register
def _global_max_pool(op: GlobalMaxPool, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].amax((2, 3), keepdim=True)


@run.register
def _channel_mean(op: ChannelMean, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].mean(1, keepdim=True)


@run.register
def _channel_max(op: ChannelMax, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].amax(1, keepdim=True)


@run.register
def _mean_tokens(op: MeanTokens, x: Sequence[Tensor], at: Pass) -> Tensor:
    if len(x) == 1:
        return x[0].mean(1)
    mask = x[1].to(x[0].dtype)
    return (x[0] * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
