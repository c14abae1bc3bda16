"""Sums and products."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.graph.ops._nodes import IntegerForm, Nodes, integer_form, to_onnx
from hwnas.space.ops import Add, Mul, Op


@to_onnx.register
def _add(op: Add, x: Sequence[str], at: Nodes) -> str:
    """Tokens are added by ``Sum``, because onnxruntime fuses an ``Add`` with the norm after it into a slower kernel."""
    return at.result("Sum" if len(op.in_shape) == 2 else "Add", x)


@to_onnx.register
def _mul(op: Mul, x: Sequence[str], at: Nodes) -> str:
    return at.result("Mul", x)


@integer_form.register(Add)
@integer_form.register(Mul)
def _integer(op: Op) -> IntegerForm:
    """Only sums and products of feature maps, which lie between convolutions."""
    return "static" if len(op.in_shape) == 3 else ""
