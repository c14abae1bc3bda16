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
    """The fp16 model of an fp32 one: weights and arithmetic; casts stand after real inputs and before the output."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    largest = np.finfo(np.float16).max
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            value = np.clip(numpy_helper.to_array(tensor), -largest, largest).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    for value in graph.value_info:
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    real = [value.name for value in graph.input if value.type.tensor_type.elem_type == TensorProto.FLOAT]
    (last,) = graph.output
    for node in graph.node:
        node.input[:] = [f"{name}.half" if name in real else name for name in node.input]
        node.output[:] = [f"{name}.half" if name == last.name else name for name in node.output]
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    for name in reversed(real):
        cast = helper.make_node("Cast", [name], [f"{name}.half"], f"{name}/Cast", to=TensorProto.FLOAT16)
        graph.node.insert(0, cast)
    graph.node.append(
        helper.make_node("Cast", [f"{last.name}.half"], [last.name], f"{last.name}/Cast", to=TensorProto.FLOAT)
    )
    return result
