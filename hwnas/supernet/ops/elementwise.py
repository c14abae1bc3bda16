"""Activations, sums and products."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import Activation, Add, Mul
from hwnas.supernet.ops._run import Pass, run

_FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "hswish": F.hardswish,
    "hsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
}


@run.register
def _activation(op: Activation, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return _FUNCTIONS[op.function](x[0])


@run.register
def _add(op: Add, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return x[0] + x[1]


@run.register
def _mul(op: Mul, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return x[0] * x[1]
