"""Primitive operations, one file per family. No torch, no onnx."""

from __future__ import annotations

from hwnas.space.ops._op import LENGTH, PAST, TOTAL, Element, Op, Shape, TensorSpec
from hwnas.space.ops.activation import FORMULAS, Activation, Function, PRelu
from hwnas.space.ops.attention import MASKED, Attention, CausalBias, PaddingBias, SplitHeads
from hwnas.space.ops.convert import Convert
from hwnas.space.ops.convolution import Conv, Pads, Pair, half_padding
from hwnas.space.ops.elementwise import Add, Mul
from hwnas.space.ops.embedding import ClassToken, Embedding, GridPositions, Positions, SharedRow
from hwnas.space.ops.linear import Linear, TiedLinear
from hwnas.space.ops.named import Read, Write
from hwnas.space.ops.normalisation import Affine, BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm
from hwnas.space.ops.pooling import AvgPool, GlobalMaxPool, GlobalPool, MaxPool, MeanTokens, PaddedAvgPool, Pool
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
    "CausalBias",
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
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "MaxPool",
    "MeanTokens",
    "Mul",
    "Op",
    "PRelu",
    "PaddedAvgPool",
    "PaddingBias",
    "Pads",
    "Pair",
    "Pool",
    "Positions",
    "RMSNorm",
    "Read",
    "Reshape",
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
    "Write",
    "half_padding",
]
