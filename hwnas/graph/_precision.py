"""Models in the precisions of devices. Input and output are always fp32."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.arguments import parts_of
from hwnas.errors import SpaceError, UnknownNameError
from hwnas.graph._dynamic import of_stored
from hwnas.graph._packed import of_few_bits, packed
from hwnas.graph._quantize import Ranges, quantized
from hwnas.graph._ranges import assumed_ranges
from hwnas.graph.ops import PACKED, form_in, integer_form
from hwnas.space import Forms, LayerSpec, SearchSpace, with_precisions
from hwnas.space.ops import Activation, Add, TiedLinear
from hwnas.wording import listed

if TYPE_CHECKING:
    import onnx

PRECISIONS = ("fp32", "fp16", "int8", "int4")

MIXED = ("fp32", "int8", "int4")
"""Precisions that the layers of one network may choose from."""


def parse_precision(text: str) -> str:
    """The value of ``--precision``: one of ``PRECISIONS``, or ``fp32+int8`` for ``fp32,int8``, between which layers choose.

    Raises:
        UnknownNameError: there is no such precision; suggests the nearest.
        DataError: there is a comma too many.
        SpaceError: these precisions cannot be mixed.
    """
    parts = list(dict.fromkeys(parts_of(text.replace("+", ","), "--precision ")))
    for part in parts:
        if part not in PRECISIONS:
            raise UnknownNameError("precision", part, PRECISIONS)
    if len(parts) > 1 and not set(parts) <= set(MIXED):
        rule = f"layers of one network may be {listed(MIXED)}"
        raise SpaceError(f"precision {text}", rule, f"write --precision {','.join(MIXED)}, or some of them")
    return "+".join(p for p in PRECISIONS if p in parts)


def precision_parts(precision: str) -> tuple[str, ...]:
    """The single precisions of ``fp32+int8``."""
    return tuple(precision.split("+"))


@cache
def mixed_space(space: SearchSpace, precision: str) -> SearchSpace:
    """The space with a precision gene for every slot, for ``fp32+int8``; unchanged for a single precision.

    Raises:
        SpaceError: layers of this space cannot choose precisions.
    """
    parts = precision_parts(precision)
    return space if len(parts) == 1 else with_precisions(space, parts, _FORMS)


def _differs(layer: LayerSpec, precision: str) -> bool:
    return any(form_in(op, precision) for op in layer.ops)


def _rounds(precision: str) -> bool:
    return precision == "int8"


def _takes(layer: LayerSpec) -> bool:
    """Whether an int8 layer reads integers."""
    return any(integer_form(op) == "static" for op in layer.ops if 0 in op.inputs)


def _gives(layer: LayerSpec) -> bool:
    """Whether an int8 layer returns integers. It may end in an activation that the range of the integers performs."""
    last = layer.ops[-1]
    if isinstance(last, Activation) and last.function in ("relu", "relu6") and last.inputs[0] > 0:
        last = layer.ops[last.inputs[0] - 1]
    return integer_form(last) == "static"


def _keeps(layer: LayerSpec) -> bool:
    """Whether a layer ends by adding its unchanged input, perhaps followed by an activation."""
    last = layer.ops[-1]
    if isinstance(last, Activation) and last.inputs[0] > 0:
        last = layer.ops[last.inputs[0] - 1]
    return isinstance(last, Add) and 0 in last.inputs


def _shares(layer: LayerSpec) -> str | None:
    """The slot whose embedding table a layer computes logits with; a file holds the table only once."""
    return next((op.table.partition("/")[0] for op in layer.ops if isinstance(op, TiedLinear)), None)


_FORMS = Forms(_differs, _rounds, _takes, _gives, _keeps, _shares)


def in_precision(model: onnx.ModelProto, precision: str, ranges: Ranges | None = None) -> onnx.ModelProto:
    """A model in another precision, as it is profiled and exported.

    Args:
        model: fp32, from `build_model`; not changed.
        precision: one of ``PRECISIONS``, or ``fp32+int8`` if layers have their own, which the model's nodes state.
        ranges: of activations, for int8. Without them the model is only good for timing.
    """
    parts = precision_parts(precision)
    if "int4" in parts or ("int8" in parts and any(node.doc_string in PACKED for node in model.graph.node)):
        model = packed(model, precision)
    if "int8" in parts:
        return quantized(model, ranges if ranges is not None else assumed_ranges(model))
    return half(model) if precision == "fp16" else model


def rounded_weight(weight: NDArray[np.float32], form: str) -> NDArray[np.float32]:
    """A weight ``(rows, channels)`` as a graph in lower precision computes with it.

    Args:
        weight: of an op.
        form: of the op in the precision, from `form_in`.

    Raises:
        SpaceError: the form also rounds activations by ranges, which only the graph has.
    """
    if form in PACKED:
        return of_few_bits(weight, PACKED[form])
    if form == "stored":
        return of_stored(weight)
    rule = "it also rounds activations by ranges, which torch does not know"
    raise SpaceError(f"int8 of the form {form}", rule, "evaluate the ONNX model")


def half(model: onnx.ModelProto) -> onnx.ModelProto:
    """The fp16 model of an fp32 one. Real inputs are cast to fp16, and outputs back to fp32."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    largest = np.finfo(np.float16).max
    scales = {node.input[2] for node in graph.node if node.op_type == "Resize"}  # which ONNX wants in fp32
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in scales:
            value = np.clip(numpy_helper.to_array(tensor), -largest, largest).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    for value in graph.value_info:
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    real = [value.name for value in graph.input if value.type.tensor_type.elem_type == TensorProto.FLOAT]
    given = [value.name for value in graph.output]
    cast = {name: f"{name}.half" for name in (*real, *given)}
    for node in graph.node:
        node.input[:] = [cast.get(name, name) for name in node.input]
        node.output[:] = [cast.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    for name in reversed(real):
        narrowed = helper.make_node("Cast", [name], [cast[name]], f"{name}/Cast", to=TensorProto.FLOAT16)
        graph.node.insert(0, narrowed)
    for name in given:
        graph.node.append(helper.make_node("Cast", [cast[name]], [name], f"{name}/Cast", to=TensorProto.FLOAT))
    return result
