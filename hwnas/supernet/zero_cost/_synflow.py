"""Synaptic flow: the signal that the weights carry from an input of ones to the logits.

Tanaka et al. 2020 (arXiv:2006.05467); as a score of whole networks: Abdelfattah et al. 2021 (arXiv:2101.08134).
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
from hwnas.space.ops import (
    Activation,
    Attention,
    BatchNorm,
    Conv,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
    Power,
    Reshape,
    ResponseNorm,
    RMSNorm,
)
from hwnas.supernet._execute import forward
from hwnas.supernet.ops import Pass, run
from hwnas.supernet.zero_cost._untrained import noise, untrained_weights

GATES = ("sigmoid", "hsigmoid", "hsigmoid_0.2")
"""Activations that multiply another value. A large signal opens them and passes unchanged."""

NOTHING = 1e-300
"""The flow of a network whose logits do not depend on its weights."""


def synflow(network: Network, seed: int) -> float:
    """``log10`` of the sum over all weights of ``|w| dR/d|w|``, where R is the sum of the logits with weights ``|w|``.

    Norms are left out, and so are activations, because positive values pass them. Attention weighs all tokens equally, because
    large scores would select one token and carry no gradient. R grows with depth, so it is computed in double precision.

    Raises:
        SpaceError: R is beyond double precision.
    """
    linear = [(slot, replace(layer, ops=tuple(map(_linear, layer.ops)))) for slot, layer in network]
    weights = {name: value.abs().double() for name, value in untrained_weights(linear, seed).items()}
    leaves = [value.requires_grad_() for value in weights.values()]
    fed = {
        name: torch.ones_like(value, dtype=torch.float64) if value.is_floating_point() else value
        for name, value in noise(network, 1, seed).items()
    }
    carried = forward(linear, weights, fed).sum()
    if not carried.requires_grad:
        return math.log10(NOTHING)
    flows = torch.autograd.grad(carried, leaves, allow_unused=True)
    reached = zip(leaves, cast("tuple[Tensor | None, ...]", flows), strict=True)
    total = sum(float((w * flow).sum().detach()) for w, flow in reached if flow is not None)
    if not math.isfinite(total):
        raise SpaceError(
            "synflow", "the flow through this network exceeds double precision", "use swap or macs instead"
        )
    return math.log10(max(total, NOTHING))


@dataclass(frozen=True)
class _Alike(Attention):
    """Attention that weighs all tokens equally."""


@run.register
def _alike(op: _Alike, x: Sequence[Tensor], at: Pass) -> Tensor:
    attend = run.dispatch(Attention)
    return attend(op, [torch.zeros_like(x[0]), *x[1:]], at)


def _linear(op: Op) -> Op:
    """The op without its norm; the identity for a norm or an activation; attention with equal weights."""
    if isinstance(op, Conv):
        return replace(op, bn=False)
    if isinstance(op, Attention):
        return _Alike(**{field.name: getattr(op, field.name) for field in fields(op)})
    passes = isinstance(op, Power) or (isinstance(op, Activation) and op.function not in GATES)
    if passes or isinstance(op, BatchNorm | GroupNorm | LayerNorm | LocalResponseNorm | ResponseNorm | RMSNorm):
        return Reshape(op.name, op.inputs, op.in_shapes, op.in_shape)
    return op
