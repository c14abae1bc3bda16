"""Every op in torch, one file per family as in ``hwnas.space.ops``."""

from __future__ import annotations

from hwnas.supernet.ops import (
    activation,
    attention,
    convert,
    convolution,
    elementwise,
    embedding,
    linear,
    named,
    normalisation,
    pooling,
    resampling,
    rotary,
    shape,
)
from hwnas.supernet.ops._run import Pass, folded, run

__all__ = [
    "Pass",
    "activation",
    "attention",
    "convert",
    "convolution",
    "elementwise",
    "embedding",
    "folded",
    "linear",
    "named",
    "normalisation",
    "pooling",
    "resampling",
    "rotary",
    "run",
    "shape",
]
