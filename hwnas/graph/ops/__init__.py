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
    resampling,
    rotary,
    shape,
)
from hwnas.graph.ops._nodes import (
    BLOCK,
    PACKED,
    IntegerForm,
    Nodes,
    form_in,
    initial_shapes,
    integer_form,
    packable,
    to_onnx,
)

__all__ = [
    "BLOCK",
    "PACKED",
    "IntegerForm",
    "Nodes",
    "activation",
    "attention",
    "convert",
    "convolution",
    "elementwise",
    "embedding",
    "form_in",
    "initial_shapes",
    "integer_form",
    "linear",
    "named",
    "normalisation",
    "packable",
    "pooling",
    "resampling",
    "rotary",
    "shape",
    "to_onnx",
]
