"""Normalisations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import Affine, BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm, ResponseNorm, RMSNorm
from hwnas.supernet._calibration import Shared
from hwnas.supernet.ops._run import Pass, folded, run


@run.register
def _batch_norm(op: BatchNorm, x: Sequence[Tensor], at: Pass) -> Tensor:
    return batch_norm(x[0], at, "")


@run.register
def _affine(op: Affine, x: Sequence[Tensor], at: Pass) -> Tensor:
    column = [1] * len(op.in_shape)
    column[op.axis] = -1
    return x[0] * at.weight().reshape(column) + at.weight("bias").reshape(column)


@run.register
def _group_norm(op: GroupNorm, x: Sequence[Tensor], at: Pass) -> Tensor:
    return F.group_norm(x[0], op.groups, at.weight(), at.weight("bias"), op.eps)


@run.register
def _layer_norm(op: LayerNorm, x: Sequence[Tensor], at: Pass) -> Tensor:
    return F.layer_norm(x[0], op.in_shape[-1:], at.weight(), at.weight("bias"), op.eps)


@run.register
def _local_response_norm(op: LocalResponseNorm, x: Sequence[Tensor], at: Pass) -> Tensor:
    return F.local_response_norm(x[0], op.size, op.alpha, op.beta, op.k)


@run.register
def _response_norm(op: ResponseNorm, x: Sequence[Tensor], at: Pass) -> Tensor:
    channels = op.axis + 1
    length: Tensor = torch.linalg.vector_norm(x[0], dim=[axis for axis in (1, 2, 3) if axis != channels], keepdim=True)
    return x[0] * (length / (length.mean(channels, keepdim=True) + op.eps))


@run.register
def _rms_norm(op: RMSNorm, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0] * (x[0].square().mean(-1, keepdim=True) + op.eps).rsqrt() * at.weight()


@folded.register
def _constants(op: BatchNorm, tensors: Mapping[str, Tensor], eps: float) -> Mapping[str, Tensor]:
    scale, shift = scale_and_shift(tensors, eps, "")
    return {"weight": scale, "bias": shift}


def batch_norm(x: Tensor, at: Pass, prefix: str) -> Tensor:
    """``x`` ``(n, channels, ...)`` normalised with the op's tensors ``<prefix>weight``, ..., in the mode of the pass."""
    scale, shift = at.weight(f"{prefix}weight"), at.weight(f"{prefix}bias")
    if at.bn == "eval" or (at.bn == "train" and at.momentum):
        mean, variance = at.weight(f"{prefix}running_mean"), at.weight(f"{prefix}running_var")
        return F.batch_norm(x, mean, variance, scale, shift, at.bn == "train", at.momentum, at.eps)
    if at.bn == "train":
        return F.batch_norm(x, None, None, scale, shift, True, 0.0, at.eps)
    variance, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
    if isinstance(at.bn, Shared):
        return _of_whole_batch(x, mean, variance, at.bn, scale, shift, at.eps)
    at.bn.add(f"{at.name}.{prefix}".removesuffix("."), mean, variance, len(x))
    return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, at.eps)


def _of_whole_batch(
    x: Tensor, mean: Tensor, variance: Tensor, shared: Shared, scale: Tensor, shift: Tensor, eps: float
) -> Tensor:
    """``x`` normalised with the statistics of all parts of the batch (synchronised batch norm)."""
    channels = len(mean)
    gathered = shared.gathered(torch.cat([mean, variance, x.new_tensor([x.numel() / channels])]))
    means, variances, counts = torch.split(gathered, [channels, channels, 1], dim=1)
    shares = counts / counts.sum()
    mean = (shares * means).sum(0)
    variance = (shares * (variances + (means - mean).square())).sum(0)
    column = [1, channels, *[1] * (x.ndim - 2)]
    scale = scale * (variance + eps).rsqrt()
    return (x - mean.view(column)) * scale.view(column) + shift.view(column)


def scale_and_shift(tensors: Mapping[str, Tensor], eps: float, prefix: str) -> tuple[Tensor, Tensor]:
    """``(channels,)`` both: with its stored statistics a batch norm is ``x * scale + shift``."""
    scale = tensors[f"{prefix}weight"] / torch.sqrt(tensors[f"{prefix}running_var"] + eps)
    return scale, tensors[f"{prefix}bias"] - tensors[f"{prefix}running_mean"] * scale
