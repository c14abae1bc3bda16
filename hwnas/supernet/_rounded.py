"""Ops in torch as lower precisions compute them, where these round weights alone: what `hwnas.graph` packs, number by number.

Such a product takes its input in eight bits, with a scale for every few channels of a token, as onnxruntime's kernels do on CPUs.
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
    """The op's output for a batch, as `hwnas.supernet.run` gives it, in a precision.

    Raises:
        SpaceError: the precision rounds by ranges that were seen, which only onnxruntime does.
    """
    form = form_in(op, precision)
    if not form:
        return run(op, x, at)
    name = f"{op.table if isinstance(op, TiedLinear) else at.name}.weight"
    left = torch.from_numpy(rounded_weight(at.weights[name].detach().numpy(), form))
    if form in PACKED and isinstance(op, Linear | TiedLinear):
        x = [in_eight_bits(x[0])]
    return run(op, x, replace(at, weights=ChainMap({name: left}, dict(at.weights))))


def in_eight_bits(x: Tensor) -> Tensor:
    """``(..., channels)`` rounded to 255 numbers, the farthest of every 32 channels being the last of them."""
    channels = x.shape[-1]
    padded = F.pad(x, (0, -channels % BLOCK))
    parts = padded.reshape(*padded.shape[:-1], -1, BLOCK)
    scale = (parts.abs().amax(-1, keepdim=True) / 127).clamp_min(torch.finfo(x.dtype).tiny)
    return ((parts / scale).round() * scale).flatten(-2)[..., :channels]
