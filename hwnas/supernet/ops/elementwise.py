"""Sums and products."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hwnas.space.ops import Add, Mul
from hwnas.supernet.ops._run import Pass, run


@run.register
def _add(op: Add, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0] + x[1]


@run.register
def _mul(op: Mul, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0] * x[1]
