"""Conversions do nothing in fp32. In int8 models, one side of the node is integers and the other real numbers."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.graph.ops._nodes import Nodes, to_onnx
from hwnas.space.ops import Convert


@to_onnx.register
def _convert(op: Convert, x: Sequence[str], at: Nodes) -> str:
    return at.result("Identity", x)
