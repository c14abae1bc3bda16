"""Embeddings, positions, class tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import ClassToken, Embedding, Positions
from hwnas.supernet.ops._run import Pass, run


@run.register
def _embedding(op: Embedding, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return F.embedding(x[0], at.weight())


@run.register
def _positions(op: Positions, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return x[0] + at.weight()[: x[0].shape[1]]  # texts may be shorter than the network takes


@run.register
def _class_token(op: ClassToken, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return torch.cat([at.weight().expand(len(x[0]), 1, -1), x[0]], dim=1)
