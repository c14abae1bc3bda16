"""The ONNX form of every op, one file per family as in ``hwnas.space.ops``."""

from __future__ import annotations

from hwnas.graph.ops import (
    activation,
    attention,
    convolution,
    elementwise,
    embedding,
    linear,
    named,
    normalisation,
    pooling,
    shape,
)
from hwnas.graph.ops._nodes import INTEGER, LENGTH, Nodes, has_integer_form, initial_shapes, to_onnx

__all__ = [
    "INTEGER",
    "LENGTH",
    "Nodes",
    "activation",
    "attention",
    "convolution",
    "elementwise",
    "embedding",
    "has_integer_form",
    "initial_shapes",
    "linear",
    "named",
    "normalisation",
    "pooling",
    "shape",
    "to_onnx",
]
