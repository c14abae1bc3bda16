"""Conversions: nothing in fp32; int8 models have integers on one side of the node and real numbers on the other."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.graph.ops._nodes import Nodes, to_onnx
from hwnas.space.ops import Convert


@to_onnx.register
def _convert(op: Convert, x: Sequence[str], at: Nodes) -> str:
    return at.result("Identity", x)
