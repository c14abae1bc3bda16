"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwnas.graph.ops._nodes import IntegerForm, Nodes, integer_form, to_onnx
from hwnas.space.ops import (
    AvgPool,
    ChannelMax,
    ChannelMean,
    GlobalMaxPool,
    GlobalPool,
    MaxPool,
    MeanTokens,
    Op,
    PaddedAvgPool,
    Pool,
)


@to_onnx.register
def _max_pool(op: MaxPool, x: Sequence[str], at: Nodes) -> str:
    return at.result("MaxPool", x, **_window(op))


@to_onnx.register
def _avg_pool(op: AvgPool, x: Sequence[str], at: Nodes) -> str:
    return at.result("AveragePool", x, **_window(op))


@to_onnx.register
def _padded_avg_pool(op: PaddedAvgPool, x: Sequence[str], at: Nodes) -> str:
    return at.result("AveragePool", x, **_window(op), count_include_pad=1)


def _window(op: Pool) -> dict[str, Any]:
    window: dict[str, Any] = {"kernel_shape": op.kernel, "strides": op.stride}
    if any(op.pads):
        window["pads"] = op.pads
    # Not all providers support ceil_mode, and windows that fit exactly do not need it.
    even = all(
        (size + op.pads[axis] + op.pads[axis + 2] - op.kernel[axis]) % op.stride[axis] == 0
        for axis, size in enumerate(op.in_shape[1:])
    )
    return window if even or not op.ceil else window | {"ceil_mode": 1}


@to_onnx.register
def _global_pool(op: GlobalPool, x: Sequence[str], at: Nodes) -> str:
    return at.result("GlobalAveragePool", x)


@to_onnx.register
def _global_max_pool(op: GlobalMaxPool, x: Sequence[str], at: Nodes) -> str:
    return at.result("GlobalMaxPool", x)


@to_onnx.register
def _channel_mean(op: ChannelMean, x: Sequence[str], at: Nodes) -> str:
    inputs, settings = at.over(1)
    return at.result("ReduceMean", [*x, *inputs], **settings)


@to_onnx.register
def _channel_max(op: ChannelMax, x: Sequence[str], at: Nodes) -> str:
    inputs, settings = at.over(1)
    return at.result("ReduceMax", [*x, *inputs], **settings)


@integer_form.register(Pool)
@integer_form.register(GlobalPool)
def _integer(op: Op) -> IntegerForm:
    return "static"


@to_onnx.register
def _mean_tokens(op: MeanTokens, x: Sequence[str], at: Nodes) -> str:
    tokens, axis = x[0], at.integers(1)
    if len(x) == 1:
        total, length = at.node("ReduceSum", [tokens, axis], keepdims=0), op.in_shape[0]
        fixed = not at.open_length
        count = at.constant("tokens", length) if fixed else at.node("Cast", [at.tokens(tokens)], to=1)  # float32
        return at.result("Div", [total, count])
    mask = at.node("Cast", [x[1]], to=1)  # float32
    kept = at.node("Mul", [tokens, at.node("Unsqueeze", [mask, at.integers(-1)])])
    count = at.node("Max", [at.node("ReduceSum", [mask, axis], keepdims=1), at.constant("one", 1.0)])
    return at.result("Div", [at.node("ReduceSum", [kept, axis], keepdims=0), count])
