"""Ops in torch with the rounding of lower precisions that round weights alone, exactly as `hwnas.graph` packs them.

The inputs of packed products are rounded to eight bits, with one scale per few channels of a token, as onnxruntime's CPU
kernels do.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.graph import BLOCK, PACKED, form_in, rounded_weight
from hwnas.space import Op
from hwnas.space.ops import Linear, TiedLinear
from hwnas.supernet.ops import Pass, run


def run_rounded(op: Op, x: Sequence[Tensor], at: Pass, precision: str) -> Tensor:
    """The op's output for a batch in a precision; otherwise like `hwnas.supernet.run`.

    Raises:
        SpaceError: the precision needs ranges of activations, which only onnxruntime applies.
    """
    form = form_in(op, precision)
    if not form:
        return run(op, x, at)
    name = f"{op.table if isinstance(op, TiedLinear) else at.name}.weight"
    rounded = torch.from_numpy(rounded_weight(at.weights[name].detach().numpy(), form))
    if form in PACKED and isinstance(op, Linear | TiedLinear):
        x = [in_eight_bits(x[0])]
    return run(op, x, replace(at, weights=ChainMap({name: rounded}, dict(at.weights))))


def in_eight_bits(x: Tensor) -> Tensor:
    """``(..., channels)`` rounded to the integers -127 to 127, scaled so that 127 is the largest value of every 32 channels."""
    channels = x.shape[-1]
    padded = F.pad(x, (0, -channels % BLOCK))
    parts = padded.reshape(*padded.shape[:-1], -1, BLOCK)
    scale = (parts.abs().amax(-1, keepdim=True) / 127).clamp_min(torch.finfo(x.dtype).tiny)
    return ((parts / scale).round() * scale).flatten(-2)[..., :channels]
