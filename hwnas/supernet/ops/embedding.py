"""Embeddings, positions, class tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import ClassToken, Embedding, GridPositions, Positions, SharedRow
from hwnas.supernet.ops._run import Pass, folded, run


@run.register
def _embedding(op: Embedding, x: Sequence[Tensor], at: Pass) -> Tensor:
    return F.embedding(x[0], at.weight())


@run.register
def _shared_row(op: SharedRow, x: Sequence[Tensor], at: Pass) -> Tensor:
    return at.weight("row").detach().long().remainder(op.rows)[x[0]]  # random weights may exceed the rows


@run.register
def _positions(op: Positions, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0] + at.weight()[: x[0].shape[1]]  # a batch of texts may be shorter than the longest input


@run.register
def _grid_positions(op: GridPositions, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0] + _resized(op, at.weight())


@folded.register
def _folded_grid(op: GridPositions, tensors: Mapping[str, Tensor], eps: float) -> Mapping[str, Tensor]:
    return {"weight": _resized(op, tensors["weight"])}


def _resized(op: GridPositions, table: Tensor) -> Tensor:
    """The table's grid, resized to the op's input."""
    if op.grid == op.side:
        return table
    grid = table[op.leading :].reshape(1, op.side, op.side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(op.grid, op.grid), mode="bicubic", align_corners=False)
    return torch.cat([table[: op.leading], grid.flatten(2).squeeze(0).T])


@run.register
def _class_token(op: ClassToken, x: Sequence[Tensor], at: Pass) -> Tensor:
    return torch.cat([at.weight().expand(len(x[0]), 1, -1), x[0]], dim=1)
