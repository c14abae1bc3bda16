"""The ONNX form of every op, one file per family as in ``hwnas.space.ops``."""

from __future__ import annotations

from hwnas.graph.ops import (
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
    rotary,
    shape,
)
from hwnas.graph.ops._nodes import IntegerForm, Nodes, initial_shapes, integer_form, to_onnx

__all__ = [
    "IntegerForm",
    "Nodes",
    "activation",
    "attention",
    "convert",
    "convolution",
    "elementwise",
    "embedding",
    "initial_shapes",
    "integer_form",
    "linear",
    "named",
    "normalisation",
    "pooling",
    "rotary",
    "shape",
    "to_onnx",
]
