"""Convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwnas.graph.ops._nodes import IntegerForm, Nodes, initial_shapes, integer_form, to_onnx
from hwnas.space.ops import Conv, Shape


@to_onnx.register
def _conv(op: Conv, x: Sequence[str], at: Nodes) -> str:
    window = {"kernel_shape": op.kernel, "strides": op.stride, "pads": op.pads}
    if op.dilation != (1, 1):
        window["dilations"] = op.dilation
    return at.result("Conv", [*x, *map(at.parameter, initial_shapes(op))], **window, group=op.groups)


LANES = 4
"""Products that an integer dot product adds up at once. Convolutions of fewer channels stay in fp32."""


@integer_form.register
def _integer(op: Conv) -> IntegerForm:
    return "static" if op.groups > 1 or op.in_shape[0] >= LANES else ""


@initial_shapes.register
def _folded(op: Conv) -> Mapping[str, Shape]:
    """A batch norm is folded into the weight and leaves a bias."""
    shapes = {"weight": op.weights["weight"]}
    return shapes | ({"bias": (op.channels,)} if op.bias or op.bn else {})
