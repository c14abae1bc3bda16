"""Feature maps made larger."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import Pad, Upsample
from hwnas.supernet.ops._run import Pass, run


@run.register
def _pad(op: Pad, x: Sequence[Tensor], at: Pass) -> Tensor:
    top, left, bottom, right = op.pads
    return F.pad(x[0], (left, right, top, bottom), mode="reflect" if op.mode == "reflect" else "replicate")


@run.register
def _upsample(op: Upsample, x: Sequence[Tensor], at: Pass) -> Tensor:
    size = op.shape[1:]
    if op.mode == "nearest":
        return F.interpolate(x[0], size)
    return F.interpolate(x[0], size, mode="bilinear", align_corners=op.mode == "aligned")
