"""Ops that move elements."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hwnas.space.ops import Concat, Flatten, Reshape, Shuffle, Slice, Take, Transpose
from hwnas.supernet.ops._run import Pass, run


@run.register
def _flatten(op: Flatten, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].flatten(1)


@run.register
def _reshape(op: Reshape, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].reshape(-1, *op.to)


@run.register
def _transpose(op: Transpose, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].permute(0, *(axis + 1 for axis in op.axes))


@run.register
def _shuffle(op: Shuffle, x: Sequence[Tensor], at: Pass) -> Tensor:
    rows = x[0].reshape(len(x[0]), op.groups, -1, *op.in_shape[1:])
    return rows.transpose(1, 2).reshape(x[0].shape)


@run.register
def _concat(op: Concat, x: Sequence[Tensor], at: Pass) -> Tensor:
    return torch.cat(list(x), dim=op.axis + 1)


@run.register
def _slice(op: Slice, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].narrow(op.axis + 1, op.start, op.stop - op.start)


@run.register
def _take(op: Take, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].select(op.axis + 1, op.index)
