"""Named values, which have no nodes."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.graph.ops._nodes import Nodes, to_onnx
from hwnas.space.ops import Read, Write


@to_onnx.register
def _read(op: Read, x: Sequence[str], at: Nodes) -> str:
    return at.values[op.value]


@to_onnx.register
def _write(op: Write, x: Sequence[str], at: Nodes) -> str:
    at.values[op.value] = x[0]
    return x[0]
