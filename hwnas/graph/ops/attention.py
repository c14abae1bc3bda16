"""Attention in standard operators, which onnxruntime runs as fast as its own fused ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.graph.ops._nodes import Nodes, to_onnx
from hwnas.space.ops import MASKED, Attention, CausalBias, PaddingBias, SplitHeads


@to_onnx.register
def _split_heads(op: SplitHeads, x: Sequence[str], at: Nodes) -> str:
    return at.result("Transpose", [_by_head(x[0], op.shape[2], at, op.heads)], perm=[0, 2, 1, 3])


@to_onnx.register
def _attention(op: Attention, x: Sequence[str], at: Nodes) -> str:
    """Query heads that share keys get an axis of their own, over which the products broadcast."""
    shared = op.heads // op.kv_heads
    query = at.node("Mul", [x[0], at.constant(f"attention.{op.size}", op.size**-0.5)])
    query, key, value = _grouped_split(op, shared, query, x, at) if op.split else _grouped(op, shared, query, x, at)
    scores = at.node("MatMul", [query, key])
    if len(x) > 3:
        each_key = len(op.in_shapes[3]) == 1
        axes = at.integers(*range(1, (3 if shared == 1 else 4) if each_key else (2 if shared == 1 else 3)))
        scores = at.node("Add", [scores, at.node("Unsqueeze", [x[3], axes])])
    mixed = at.node("MatMul", [at.node("Softmax", [scores], axis=-1), value])
    back = at.node("Transpose", [mixed], perm=[0, 2, 1, 3] if shared == 1 else [0, 3, 1, 2, 4])
    return at.result("Reshape", [back, at.integers(0, 0, op.shape[1])])


def _grouped(op: Attention, shared: int, query: str, x: Sequence[str], at: Nodes) -> tuple[str, str, str]:
    """Queries and values ``(N, kv heads[, shared or 1], tokens, d)`` and transposed keys, of ``(N, tokens, heads * d)``."""
    group = () if shared == 1 else (shared,)
    one = () if shared == 1 else (1,)
    query = _by_head(query, op.size, at, op.kv_heads, *group)
    key, value = (_by_head(v, d, at, op.kv_heads, *one) for v, d in ((x[1], op.size), (x[2], op.depth)))
    heads = [0, 2, 1, 3] if shared == 1 else [0, 2, 3, 1, 4]
    query, value = (at.node("Transpose", [v], perm=heads) for v in (query, value))
    return query, at.node("Transpose", [key], perm=[*heads[:-2], len(heads) - 1, 1]), value


def _grouped_split(op: Attention, shared: int, query: str, x: Sequence[str], at: Nodes) -> tuple[str, str, str]:
    """The same, of ``(N, heads, tokens, d)``."""
    key, value = x[1:3]
    if shared > 1:
        query = at.node("Reshape", [query, at.integers(0, op.kv_heads, shared, -1, op.size)])
        key, value = (at.node("Unsqueeze", [v, at.integers(2)]) for v in (key, value))
    transposed = [0, 1, 3, 2] if shared == 1 else [0, 1, 2, 4, 3]
    return query, at.node("Transpose", [key], perm=transposed), value


def _by_head(x: str, size: int, at: Nodes, *heads: int) -> str:
    """Split channels into heads, for any number of tokens: a 0 keeps an axis."""
    return at.node("Reshape", [x, at.integers(0, 0, *heads, size)])


@to_onnx.register
def _padding_bias(op: PaddingBias, x: Sequence[str], at: Nodes) -> str:
    return at.result("Mul", [_padding(x[0], at), at.constant("masked", MASKED)])


@to_onnx.register
def _causal_bias(op: CausalBias, x: Sequence[str], at: Nodes) -> str:
    padding = at.node("Mul", [_padding(x[1], at), at.constant("masked", MASKED)])
    return at.result("Add", [at.node("Unsqueeze", [padding, at.integers(1)]), _later(op, x, at)])


def _padding(mask: str, at: Nodes) -> str:
    """1 for padding, 0 for tokens."""
    return at.node("Sub", [at.constant("one", 1.0), at.node("Cast", [mask], to=1)])  # float32


def _later(op: CausalBias, x: Sequence[str], at: Nodes) -> str:
    """The bias that hides later tokens from each token. The last column is the last token itself."""
    tokens, others = op.shape
    if not at.open_length:
        above = np.triu(np.full((tokens, others), MASKED), k=1 + others - tokens)
        return at.constant(f"causal.{tokens}x{others}", above)
    rows, columns = (at.tokens(values) for values in x)
    hidden = at.node("Expand", [at.constant("masked", MASKED), at.node("Concat", [rows, columns], axis=0)])
    before = at.node("Add", [at.node("Sub", [columns, rows]), at.integers(1)])
    return at.node("Trilu", [hidden, at.node("Squeeze", [before, at.integers(0)])], upper=1)
