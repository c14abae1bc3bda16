"""Rotary positions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hwnas.space.ops import Angles, Rotary
from hwnas.supernet.ops._run import Pass, run


@run.register
def _angles(op: Angles, x: Sequence[Tensor], at: Pass) -> Tensor:
    angles = x[0][..., None].float() * torch.tensor(op.frequencies, device=x[0].device)
    return angles.cos() if op.function == "cos" else angles.sin()


@run.register
def _rotary(op: Rotary, x: Sequence[Tensor], at: Pass) -> Tensor:
    value, cos, sin = x
    first, second = value.chunk(2, dim=-1)
    return value * cos[:, None] + torch.cat([second, first], dim=-1) * sin[:, None]
