"""Activations, sums and products."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from hwnas.graph.ops._nodes import Nodes, has_integer_form, to_onnx
from hwnas.space.ops import Activation, Add, Mul, Op


@to_onnx.register
def _activation(op: Activation, x: Sequence[str], at: Nodes) -> str:
    return _FUNCTIONS[op.function](x[0], at)


@to_onnx.register
def _add(op: Add, x: Sequence[str], at: Nodes) -> str:  # noqa: ARG001
    return at.result("Add", x)


@to_onnx.register
def _mul(op: Mul, x: Sequence[str], at: Nodes) -> str:  # noqa: ARG001
    return at.result("Mul", x)


@has_integer_form.register(Add)
@has_integer_form.register(Mul)
def _integer(op: Op) -> bool:
    """Those of feature maps, which lie between convolutions."""
    return len(op.in_shape) == 3


def _relu6(x: str, at: Nodes) -> str:
    return at.result("Clip", [x, at.constant("relu6.min", 0.0), at.constant("relu6.max", 6.0)])


def _silu(x: str, at: Nodes) -> str:
    return at.result("Mul", [x, at.node("Sigmoid", [x])])


def _gelu(x: str, at: Nodes) -> str:
    """``x (1 + erf(x / sqrt 2)) / 2``, in the form that onnxruntime makes one kernel of."""
    erf = at.node("Erf", [at.node("Div", [x, at.constant("sqrt2", math.sqrt(2))])])
    product = at.node("Mul", [x, at.node("Add", [erf, at.constant("one", 1.0)])])
    return at.result("Mul", [product, at.constant("half", 0.5)])


def _gelu_tanh(x: str, at: Nodes) -> str:
    """``x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2``."""
    cube = at.node("Mul", [at.node("Mul", [x, x]), x])
    inner = at.node("Add", [x, at.node("Mul", [cube, at.constant("gelu.cube", 0.044715)])])
    tanh = at.node("Tanh", [at.node("Mul", [inner, at.constant("gelu.scale", math.sqrt(2 / math.pi))])])
    product = at.node("Mul", [x, at.node("Add", [tanh, at.constant("one", 1.0)])])
    return at.result("Mul", [product, at.constant("half", 0.5)])


_FUNCTIONS: Mapping[str, Callable[[str, Nodes], str]] = {
    "relu": lambda x, at: at.result("Relu", [x]),
    "relu6": _relu6,
    "hswish": lambda x, at: at.result("HardSwish", [x]),
    # torch's hard sigmoid is relu6(x + 3) / 6; ONNX defaults to a slope of 0.2.
    "hsigmoid": lambda x, at: at.result("HardSigmoid", [x], alpha=1 / 6, beta=0.5),
    "sigmoid": lambda x, at: at.result("Sigmoid", [x]),
    "silu": _silu,
    "tanh": lambda x, at: at.result("Tanh", [x]),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}
