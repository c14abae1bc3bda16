"""Activations in torch: with one of torch's kernels, or else by the formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import FORMULAS, Activation, Power, PRelu
from hwnas.space.ops.activation import SLOPES
from hwnas.supernet.ops._run import Pass, run

KERNELS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    **{f"leaky_relu_{slope}": partial(F.leaky_relu, negative_slope=slope) for slope in SLOPES},
    "selu": F.selu,
    "elu": F.elu,
    "hswish": F.hardswish,
    "hsigmoid": F.hardsigmoid,
    "silu": F.silu,
    "mish": F.mish,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
}
"""Kernels that are faster than the formulas, and compute their gradients in one pass."""


class _Torch:
    """`hwnas.space.ops.Maths` of tensors."""

    erf = staticmethod(torch.erf)
    exp = staticmethod(torch.exp)
    sigmoid = staticmethod(torch.sigmoid)
    softplus = staticmethod(F.softplus)
    tanh = staticmethod(torch.tanh)

    def clip(self, x: Tensor, low: float, high: float) -> Tensor:
        return x.clamp(low, high)


@run.register
def _activation(op: Activation, x: Sequence[Tensor], at: Pass) -> Tensor:
    kernel = KERNELS.get(op.function)
    value: Tensor = kernel(x[0]) if kernel is not None else FORMULAS[op.function](_Torch(), x[0])
    return value


@run.register
def _prelu(op: PRelu, x: Sequence[Tensor], at: Pass) -> Tensor:
    return F.prelu(x[0], at.weight("slope"))


@run.register
def _power(op: Power, x: Sequence[Tensor], at: Pass) -> Tensor:
    return x[0].clamp(min=op.least) ** op.exponent
