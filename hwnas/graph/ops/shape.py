"""Ops that move elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.graph.ops._nodes import IntegerForm, Nodes, integer_form, to_onnx
from hwnas.space.ops import Concat, Flatten, Reshape, Shuffle, Slice, Take, Transpose


@to_onnx.register
def _flatten(op: Flatten, x: Sequence[str], at: Nodes) -> str:
    return at.result("Flatten", x)


@integer_form.register
def _integer(op: Flatten) -> IntegerForm:
    """Only of a feature map, between convolutions and a linear map."""
    return "static" if len(op.in_shape) == 3 else ""


@to_onnx.register
def _reshape(op: Reshape, x: Sequence[str], at: Nodes) -> str:
    return at.result("Reshape", [*x, at.integers(0, *op.to)])


@to_onnx.register
def _transpose(op: Transpose, x: Sequence[str], at: Nodes) -> str:
    return at.result("Transpose", x, perm=[0, *(axis + 1 for axis in op.axes)])


@to_onnx.register
def _shuffle(op: Shuffle, x: Sequence[str], at: Nodes) -> str:
    channels, *rest = op.in_shape
    rows = at.node("Reshape", [*x, at.integers(0, op.groups, channels // op.groups, *rest)])
    columns = at.node("Transpose", [rows], perm=[0, 2, 1, *range(3, 3 + len(rest))])
    return at.result("Reshape", [columns, at.integers(0, *op.shape)])


@to_onnx.register
def _concat(op: Concat, x: Sequence[str], at: Nodes) -> str:
    return at.result("Concat", x, axis=op.axis + 1)


@to_onnx.register
def _slice(op: Slice, x: Sequence[str], at: Nodes) -> str:
    return at.result("Slice", [*x, *map(at.integers, (op.start, op.stop, op.axis + 1))])


@to_onnx.register
def _take(op: Take, x: Sequence[str], at: Nodes) -> str:
    return at.result("Gather", [*x, at.constant(f"index.{op.index}", op.index, np.int64)], axis=op.axis + 1)
