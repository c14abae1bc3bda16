"""Embeddings, positions, class tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hwnas.graph.ops._nodes import BLOCK, IntegerForm, Nodes, initial_shapes, integer_form, packable, to_onnx
from hwnas.space.ops import LENGTH, ClassToken, Embedding, GridPositions, Positions, Shape, SharedRow


@to_onnx.register
def _embedding(op: Embedding, x: Sequence[str], at: Nodes) -> str:
    return at.result("Gather", [at.parameter(), *x])


@integer_form.register
def _integer(op: Embedding) -> IntegerForm:
    """A table that also computes the logits has the form of the logits' product."""
    if op.tied:
        return "packed8" if packable(op) else ""
    return "stored"


@packable.register
def _packable(op: Embedding) -> bool:
    return op.shape[-1] % BLOCK == 0


@to_onnx.register
def _shared_row(op: SharedRow, x: Sequence[str], at: Nodes) -> str:
    rows = at.weight("row").astype(np.int32) % op.rows  # random weights may exceed the rows
    return at.result("Gather", [at.parameter("row", rows), *x])


@initial_shapes.register
def _rows(op: SharedRow) -> Mapping[str, Shape]:
    return op.buffers


@to_onnx.register
def _positions(op: Positions, x: Sequence[str], at: Nodes) -> str:
    if not at.open_length:
        return at.result("Add", [*x, at.parameter("weight", at.weight()[: op.in_shape[0]])])
    first = at.node("Slice", [at.parameter(), at.integers(0), at.tokens(x[0]), at.integers(0)])
    at.shapes[first] = (LENGTH, op.in_shape[1])
    return at.result("Add", [*x, first])


@to_onnx.register
def _grid_positions(op: GridPositions, x: Sequence[str], at: Nodes) -> str:
    return at.result("Add", [*x, at.parameter()])


@initial_shapes.register
def _resized(op: GridPositions) -> Mapping[str, Shape]:
    return {"weight": op.in_shape}


@to_onnx.register
def _class_token(op: ClassToken, x: Sequence[str], at: Nodes) -> str:
    batch = at.node("Gather", [at.node("Shape", x), at.integers(0)])
    shape = at.node("Concat", [batch, at.integers(1, op.in_shape[1])], axis=0)
    return at.result("Concat", [at.node("Expand", [at.parameter(), shape]), *x], axis=1)
