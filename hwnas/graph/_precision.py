"""Models in the precisions that devices compute in. Input and output stay fp32 in all of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError, UnknownNameError
from hwnas.graph._dynamic import of_stored
from hwnas.graph._packed import of_few_bits, packed
from hwnas.graph._quantize import Ranges, quantized
from hwnas.graph._ranges import assumed_ranges
from hwnas.graph.ops import PACKED, form_in, integer_form
from hwnas.quantity import listed, parts_of
from hwnas.space import Forms, LayerSpec, SearchSpace, with_precisions
from hwnas.space.ops import Activation, Add, TiedLinear

if TYPE_CHECKING:
    import onnx

PRECISIONS = ("fp32", "fp16", "int8", "int4")

MIXED = ("fp32", "int8", "int4")
"""Those that the layers of one network may have."""


def parse_precision(text: str) -> str:
    """What ``--precision`` says: one of ``PRECISIONS``, or ``fp32+int8`` for ``fp32,int8``, a choice for every layer.

    Raises:
        UnknownNameError: there is no such precision; suggests the nearest.
        DataError: a comma too many.
        SpaceError: they cannot be mixed.
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
    """The precisions that layers have in a network of ``fp32+int8``, or the one of all."""
    return tuple(precision.split("+"))


@cache
def mixed_space(space: SearchSpace, precision: str) -> SearchSpace:
    """The space with a precision for every slot, for ``fp32+int8``; itself for a single one.

    Raises:
        SpaceError: its layers cannot have precisions of their own.
    """
    parts = precision_parts(precision)
    return space if len(parts) == 1 else with_precisions(space, parts, _FORMS)


def _differs(layer: LayerSpec, precision: str) -> bool:
    return any(form_in(op, precision) for op in layer.ops)


def _rounds(precision: str) -> bool:
    return precision == "int8"


def _takes(layer: LayerSpec) -> bool:
    """Whether it reads integers."""
    return any(integer_form(op) == "static" for op in layer.ops if 0 in op.inputs)


def _gives(layer: LayerSpec) -> bool:
    """Whether it gives integers: also where it ends in an activation that their range performs."""
    last = layer.ops[-1]
    if isinstance(last, Activation) and last.function in ("relu", "relu6") and last.inputs[0] > 0:
        last = layer.ops[last.inputs[0] - 1]
    return integer_form(last) == "static"


def _keeps(layer: LayerSpec) -> bool:
    """Whether it adds its unchanged input to something: also where an activation follows the sum."""
    last = layer.ops[-1]
    if isinstance(last, Activation) and last.inputs[0] > 0:
        last = layer.ops[last.inputs[0] - 1]
    return isinstance(last, Add) and 0 in last.inputs


def _shares(layer: LayerSpec) -> str | None:
    """The slot whose table gives its logits: the file has that once."""
    return next((op.table.partition("/")[0] for op in layer.ops if isinstance(op, TiedLinear)), None)


_FORMS = Forms(_differs, _rounds, _takes, _gives, _keeps, _shares)


def in_precision(model: onnx.ModelProto, precision: str, ranges: Ranges | None = None) -> onnx.ModelProto:
    """An fp32 model of `build_model` in one of ``PRECISIONS``: what is profiled and what is exported.

    Args:
        model: stays as it is.
        precision: one of ``PRECISIONS``, or ``fp32+int8``: then layers have their own, which the model tells.
        ranges: of activations, for int8; without them the model is good for timing alone.
    """
    parts = precision_parts(precision)
    if "int4" in parts or ("int8" in parts and any(node.doc_string in PACKED for node in model.graph.node)):
        model = packed(model, precision)
    if "int8" in parts:
        return quantized(model, ranges if ranges is not None else assumed_ranges(model))
    return half(model) if precision == "fp16" else model


def rounded_weight(weight: NDArray[np.float32], form: str) -> NDArray[np.float32]:
    """What is left of a weight ``(rows, channels)``: the numbers that a graph computes with.

    Args:
        weight: of an op.
        form: what a precision makes of it, as `form_in` tells.

    Raises:
        SpaceError: its activations are rounded by ranges too, which only the graph tells.
    """
    if form in PACKED:
        return of_few_bits(weight, PACKED[form])
    if form == "stored":
        return of_stored(weight)
    rule = "activations are rounded by ranges too, which torch does not know"
    raise SpaceError(f"int8 of the form {form}", rule, "evaluate the ONNX model")


def half(model: onnx.ModelProto) -> onnx.ModelProto:
    """The fp16 model of an fp32 one: weights and arithmetic; casts stand after real inputs and before outputs."""
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
