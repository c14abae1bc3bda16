"""Models in the precisions that devices compute in. Input and output stay fp32 in all of them."""

# ruff: noqa: PLC0415 (onnx takes a while to import)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hwnas.graph._quantize import Ranges, quantized
from hwnas.graph._ranges import assumed_ranges

if TYPE_CHECKING:
    import onnx

PRECISIONS = ("fp32", "fp16", "int8")


def in_precision(model: onnx.ModelProto, precision: str, ranges: Ranges | None = None) -> onnx.ModelProto:
    """An fp32 model of `build_model` in one of ``PRECISIONS``: what is profiled and what is exported.

    Args:
        model: stays as it is.
        precision: one of ``PRECISIONS``.
        ranges: of activations, for int8; without them the model is good for timing alone.
    """
    if precision == "int8":
        return quantized(model, ranges if ranges is not None else assumed_ranges(model))
    return half(model) if precision == "fp16" else model


def half(model: onnx.ModelProto) -> onnx.ModelProto:
    """The fp16 model of an fp32 one: weights and arithmetic; casts stand after the input and before the output."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    weights = [(t.name, numpy_helper.to_array(t)) for t in model.graph.initializer]
    del graph.initializer[:]
    largest = np.finfo(np.float16).max
    for name, value in weights:
        graph.initializer.append(numpy_helper.from_array(np.clip(value, -largest, largest).astype(np.float16), name))
    (first,), (last,) = graph.input, graph.output
    for node in graph.node:
        node.input[:] = [f"{name}.half" if name == first.name else name for name in node.input]
        node.output[:] = [f"{name}.half" if name == last.name else name for name in node.output]
    casts = {
        "input/Cast": helper.make_node("Cast", [first.name], [f"{first.name}.half"], to=TensorProto.FLOAT16),
        "logits/Cast": helper.make_node("Cast", [f"{last.name}.half"], [last.name], to=TensorProto.FLOAT),
    }
    for name, cast in casts.items():
        cast.name = name
    graph.node.insert(0, casts["input/Cast"])
    graph.node.append(casts["logits/Cast"])
    return result
