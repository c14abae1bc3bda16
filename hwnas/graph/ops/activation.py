"""Activations: nodes from their formulas, or a single node where ONNX has the function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from hwnas.graph.ops._nodes import Nodes, to_onnx
from hwnas.space.ops import FORMULAS, Activation, Power, PRelu
from hwnas.space.ops.activation import SLOPES


@dataclass(frozen=True, eq=False)
class _Term:
    """A term of a formula: a node that is not written yet, or (without an operator) the formula's argument."""

    operator: str
    parts: tuple[_Term | float, ...]

    def __add__(self, other: _Term | float) -> _Term:
        return _Term("Add", (self, other))

    def __sub__(self, other: _Term | float) -> _Term:
        return _Term("Sub", (self, other))

    def __mul__(self, other: _Term | float) -> _Term:
        return _Term("Mul", (self, other))

    def __truediv__(self, other: _Term | float) -> _Term:
        return _Term("Div", (self, other))

    def __radd__(self, other: float) -> _Term:
        return _Term("Add", (other, self))

    def __rsub__(self, other: float) -> _Term:
        return _Term("Sub", (other, self))

    def __rmul__(self, other: float) -> _Term:
        return _Term("Mul", (other, self))

    def __rtruediv__(self, other: float) -> _Term:
        return _Term("Div", (other, self))


class _Terms:
    """`hwnas.space.ops.Maths` with terms."""

    def clip(self, x: _Term, low: float, high: float) -> _Term:
        return _Term("Relu", (x,)) if (low, high) == (0, inf) else _Term("Clip", (x, low, high))

    def erf(self, x: _Term) -> _Term:
        return _Term("Erf", (x,))

    def exp(self, x: _Term) -> _Term:
        return _Term("Exp", (x,))

    def sigmoid(self, x: _Term) -> _Term:
        return _Term("Sigmoid", (x,))

    def softplus(self, x: _Term) -> _Term:
        return _Term("Softplus", (x,))

    def tanh(self, x: _Term) -> _Term:
        return _Term("Tanh", (x,))


@to_onnx.register
def _activation(op: Activation, x: Sequence[str], at: Nodes) -> str:
    if op.function in _WHOLE:
        return _WHOLE[op.function](x[0], at)
    formula: _Term = FORMULAS[op.function](_Terms(), _Term("", ()))
    return at.result(formula.operator, [_written(part, x[0], at) for part in formula.parts])


def _written(part: _Term | float, x: str, at: Nodes) -> str:
    """Write the nodes of a term; returns the name of its value."""
    if not isinstance(part, _Term):
        return at.constant(f"float.{part:.9g}", part)
    return at.node(part.operator, [_written(p, x, at) for p in part.parts]) if part.operator else x


@to_onnx.register
def _prelu(op: PRelu, x: Sequence[str], at: Nodes) -> str:
    column = at.weight("slope").reshape(-1, *[1] * (len(op.in_shape) - 1))
    return at.result("PRelu", [*x, at.parameter("slope", column)])


@to_onnx.register
def _power(op: Power, x: Sequence[str], at: Nodes) -> str:
    floored = at.node("Max", [*x, at.constant(f"float.{op.least:.9g}", op.least)])
    return at.result("Pow", [floored, at.constant(f"float.{op.exponent:.9g}", op.exponent)])


def _leaky(x: str, at: Nodes, *, slope: float) -> str:
    return at.result("LeakyRelu", [x], alpha=slope)


_WHOLE: Mapping[str, Callable[[str, Nodes], str]] = {
    **{f"leaky_relu_{slope}": partial(_leaky, slope=slope) for slope in SLOPES},
    "elu": lambda x, at: at.result("Elu", [x]),
    "selu": lambda x, at: at.result("Selu", [x]),
    "hswish": lambda x, at: at.result("HardSwish", [x]),
    # torch's hard sigmoid is relu6(x + 3) / 6; those of ONNX, Paddle and earlier Keras have a slope of 0.2.
    "hsigmoid": lambda x, at: at.result("HardSigmoid", [x], alpha=1 / 6, beta=0.5),
    "hsigmoid_0.2": lambda x, at: at.result("HardSigmoid", [x], alpha=0.2, beta=0.5),
}
"""Activations for which runtimes have a kernel, but do not recognise it in the nodes of the formula."""
