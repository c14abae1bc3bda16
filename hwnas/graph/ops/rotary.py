"""Rotary positions in standard operators."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.graph.ops._nodes import Nodes, to_onnx
from hwnas.space.ops import Angles, Rotary


@to_onnx.register
def _angles(op: Angles, x: Sequence[str], at: Nodes) -> str:
    positions = at.node("Unsqueeze", [at.node("Cast", x, to=1), at.integers(-1)])  # float32
    frequencies = at.constant(f"rotary.{op.size}.{op.theta:g}", op.frequencies)
    return at.result({"cos": "Cos", "sin": "Sin"}[op.function], [at.node("Mul", [positions, frequencies])])


@to_onnx.register
def _rotary(op: Rotary, x: Sequence[str], at: Nodes) -> str:
    value, (cos, sin) = x[0], (at.node("Unsqueeze", [waves, at.integers(1)]) for waves in x[1:])
    size = op.in_shape[-1]
    first, second = (
        at.node("Slice", [value, *map(at.integers, (start, start + size // 2, 3))]) for start in (0, size // 2)
    )
    swapped = at.node("Concat", [second, first], axis=3)
    return at.result("Add", [at.node("Mul", [value, cos]), at.node("Mul", [swapped, sin])])
