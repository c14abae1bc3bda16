"""Primitive operations, one file per family. No torch, no onnx."""

from __future__ import annotations

from hwnas.space.ops._op import LENGTH, PAST, TOTAL, Element, Op, Shape, TensorSpec
from hwnas.space.ops.activation import FORMULAS, Activation, Function, Power, PRelu
from hwnas.space.ops.attention import MASKED, Attention, CausalBias, PaddingBias, SplitHeads
from hwnas.space.ops.convert import Convert
from hwnas.space.ops.convolution import Conv, Pads, Pair, half_padding
from hwnas.space.ops.elementwise import Add, Mul
from hwnas.space.ops.embedding import ClassToken, Embedding, GridPositions, Positions, SharedRow
from hwnas.space.ops.linear import Linear, TiedLinear
from hwnas.space.ops.named import Read, Write
from hwnas.space.ops.normalisation import (
    Affine,
    BatchNorm,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
    ResponseNorm,
    RMSNorm,
)
from hwnas.space.ops.pooling import (
    AvgPool,
    ChannelMax,
    ChannelMean,
    GlobalMaxPool,
    GlobalPool,
    MaxPool,
    MeanTokens,
    PaddedAvgPool,
    Pool,
)
from hwnas.space.ops.resampling import Border, Interpolation, Pad, Upsample
from hwnas.space.ops.rotary import Angles, Rotary
from hwnas.space.ops.shape import Concat, Flatten, Reshape, Shuffle, Slice, Take, Transpose

__all__ = [
    "FORMULAS",
    "LENGTH",
    "MASKED",
    "PAST",
    "TOTAL",
    "Activation",
    "Add",
    "Affine",
    "Angles",
    "Attention",
    "AvgPool",
    "BatchNorm",
    "Border",
    "CausalBias",
    "ChannelMax",
    "ChannelMean",
    "ClassToken",
    "Concat",
    "Conv",
    "Convert",
    "Element",
    "Embedding",
    "Flatten",
    "Function",
    "GlobalMaxPool",
    "GlobalPool",
    "GridPositions",
    "GroupNorm",
    "Interpolation",
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "MaxPool",
    "MeanTokens",
    "Mul",
    "Op",
    "PRelu",
    "Pad",
    "PaddedAvgPool",
    "PaddingBias",
    "Pads",
    "Pair",
    "Pool",
    "Positions",
    "Power",
    "RMSNorm",
    "Read",
    "Reshape",
    "ResponseNorm",
    "Rotary",
    "Shape",
    "SharedRow",
    "Shuffle",
    "Slice",
    "SplitHeads",
    "Take",
    "TensorSpec",
    "TiedLinear",
    "Transpose",
    "Upsample",
    "Write",
    "half_padding",
]
