"""Linear maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import Linear, TiedLinear
from hwnas.supernet.ops._run import Pass, run


@run.register
def _linear(op: Linear, x: Sequence[Tensor], at: Pass) -> Tensor:
    return F.linear(x[0], at.weight(), at.weight("bias") if op.bias else None)


@run.register
def _tied_linear(op: TiedLinear, x: Sequence[Tensor], at: Pass) -> Tensor:
    return F.linear(x[0], at.weights[f"{op.table}.weight"])
