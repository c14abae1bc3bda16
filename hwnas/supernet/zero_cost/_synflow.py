"""Synaptic flow: how much of a signal of ones the weights carry from the input to the logits.

Tanaka et al. 2020 (arXiv:2006.05467), as a score of whole networks Abdelfattah et al. 2021 (arXiv:2101.08134).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import cast

import torch
from torch import Tensor

from hwnas.errors import SpaceError
from hwnas.space import Network, Op
from hwnas.space.ops import Activation, Attention, BatchNorm, Conv, LayerNorm, Reshape, RMSNorm
from hwnas.supernet._execute import forward
from hwnas.supernet.ops import Pass, run
from hwnas.supernet.zero_cost._untrained import noise, untrained_weights

GATES = ("sigmoid", "hsigmoid")
"""Activations that multiply another value: a large signal opens them, and stays as large."""

NOTHING = 1e-300
"""What a network carries that its input does not reach."""


def synflow(network: Network, seed: int) -> float:
    """``log10`` of the sum over all weights of ``|w| dR/d|w|``, R being the sum of the logits under weights ``|w|``.

    Norms are left out, and so are activations: what is positive passes them. Attention sees all tokens alike, for large scores
    would choose one and carry nothing. In double precision, for R grows with depth.

    Raises:
        SpaceError: R is beyond it.
    """
    linear = [(slot, replace(layer, ops=tuple(map(_linear, layer.ops)))) for slot, layer in network]
    weights = {name: value.abs().double() for name, value in untrained_weights(linear, seed).items()}
    trained = [value.requires_grad_() for value in weights.values()]
    fed = {
        name: torch.ones_like(value, dtype=torch.float64) if value.is_floating_point() else value
        for name, value in noise(network, 1, seed).items()
    }
    carried = forward(linear, weights, fed).sum()
    if not carried.requires_grad:
        return math.log10(NOTHING)
    flows = torch.autograd.grad(carried, trained, allow_unused=True)
    reached = zip(trained, cast("tuple[Tensor | None, ...]", flows), strict=True)
    total = sum(float((w * flow).sum().detach()) for w, flow in reached if flow is not None)
    if not math.isfinite(total):
        raise SpaceError("synflow", "what the network carries is beyond the range of numbers", "go by swap, or by macs")
    return math.log10(max(total, NOTHING))


@dataclass(frozen=True)
class _Alike(Attention):
    """Attention that sees all tokens alike, whatever they ask for."""


@run.register
def _alike(op: _Alike, x: Sequence[Tensor], at: Pass) -> Tensor:
    attend = run.dispatch(Attention)
    return attend(op, [torch.zeros_like(x[0]), *x[1:]], at)


def _linear(op: Op) -> Op:
    """The op without norm; a norm or an activation as nothing at all; attention without a choice."""
    if isinstance(op, Conv):
        return replace(op, bn=False)
    if isinstance(op, Attention):
        return _Alike(**{field.name: getattr(op, field.name) for field in fields(op)})
    passes = isinstance(op, Activation) and op.function not in GATES
    if passes or isinstance(op, BatchNorm | LayerNorm | RMSNorm):
        return Reshape(op.name, op.inputs, op.in_shapes, op.in_shape)
    return op
