"""Attention in plain operators, which onnxruntime runs as fast as its own fused ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.graph.ops._nodes import Nodes, to_onnx
from hwnas.space.ops import MASKED, Attention, PaddingBias


@to_onnx.register
def _attention(op: Attention, x: Sequence[str], at: Nodes) -> str:
    """Query heads that share keys stand along an axis of their own, over which the products broadcast."""
    (tokens, width), (others, _), (_, values) = op.in_shapes[:3]  # how many tokens: 0 in what reshapes them keeps it
    size, depth, shared = width // op.heads, values // op.kv_heads, op.heads // op.kv_heads
    scale = at.constant(f"attention.{size}", size**-0.5)
    query = at.node("Mul", [x[0], scale])
    group = [] if shared == 1 else [shared]
    one = [] if shared == 1 else [1]
    query = at.node("Reshape", [query, at.integers(0, 0, op.kv_heads, *group, size)])
    key = at.node("Reshape", [x[1], at.integers(0, 0, op.kv_heads, *one, size)])
    value = at.node("Reshape", [x[2], at.integers(0, 0, op.kv_heads, *one, depth)])
    heads = [0, 2, 1, 3] if shared == 1 else [0, 2, 3, 1, 4]
    last = len(heads) - 1
    query, value = (at.node("Transpose", [v], perm=heads) for v in (query, value))
    key = at.node("Transpose", [key], perm=[*heads[:-2], last, 1])
    scores = at.node("MatMul", [query, key])
    if len(x) > 3:
        bias = at.node("Unsqueeze", [x[3], at.integers(*range(1, last))])
        scores = at.node("Add", [scores, bias])
    if op.causal:
        scores = at.node("Add", [scores, _later(tokens, others, x, at)])
    mixed = at.node("MatMul", [at.node("Softmax", [scores], axis=-1), value])
    back = at.node("Transpose", [mixed], perm=[0, 2, 1, 3] if shared == 1 else [0, 3, 1, 2, 4])
    return at.result("Reshape", [back, at.integers(0, 0, op.shape[1])])


def _later(tokens: int, others: int, x: Sequence[str], at: Nodes) -> str:
    """What hides from each token those after it."""
    if not at.open_length:
        return at.constant(f"causal.{tokens}x{others}", np.triu(np.full((tokens, others), MASKED), k=1))
    shape = at.node("Concat", [at.tokens(x[0]), at.tokens(x[1])], axis=0)
    hidden = at.node("Expand", [at.constant("masked", MASKED), shape])
    return at.node("Trilu", [hidden, at.constant("int64.above", 1, np.int64)], upper=1)


@to_onnx.register
def _padding_bias(op: PaddingBias, x: Sequence[str], at: Nodes) -> str:  # noqa: ARG001
    mask = at.node("Cast", x, to=1)  # float32
    padding = at.node("Sub", [at.constant("one", 1.0), mask])
    return at.result("Mul", [padding, at.constant("masked", MASKED)])
