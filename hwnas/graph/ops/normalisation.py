"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.errors import SupernetError
from hwnas.graph.ops._nodes import Nodes, initial_shapes, to_onnx
from hwnas.space.ops import Affine, BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm, Op, ResponseNorm, RMSNorm


@to_onnx.register
def _batch_norm(op: BatchNorm, x: Sequence[str], at: Nodes) -> str:
    """Its statistics are constants, so it is a scale and a shift per channel."""
    return _scaled_and_shifted(op, x, at, axis=0)


@to_onnx.register
def _affine(op: Affine, x: Sequence[str], at: Nodes) -> str:
    return _scaled_and_shifted(op, x, at, op.axis)


def _scaled_and_shifted(op: Op, x: Sequence[str], at: Nodes, axis: int) -> str:
    column = [1] * len(op.in_shape)
    column[axis] = -1
    scale, shift = (at.parameter(part, at.weight(part).reshape(column)) for part in initial_shapes(op))
    return at.result("Add", [at.node("Mul", [*x, scale]), shift])


@to_onnx.register
def _group_norm(op: GroupNorm, x: Sequence[str], at: Nodes) -> str:
    """An instance norm of the groups as rows: onnxruntime has no kernel for ``GroupNormalization`` on CPUs, and takes 1.6 to 2
    times as long for it."""
    if op.groups == op.in_shape[0]:
        return at.result("InstanceNormalization", [*x, *map(at.parameter, op.weights)], epsilon=op.eps)
    rows = at.node("Reshape", [*x, at.integers(0, op.groups, -1)])
    one, zero = (at.constant(f"{name}.{op.groups}", np.full(op.groups, v)) for name, v in (("ones", 1), ("zeros", 0)))
    normal = at.node("InstanceNormalization", [rows, one, zero], epsilon=op.eps)
    return _scaled_and_shifted(op, [at.node("Reshape", [normal, at.integers(0, *op.in_shape)])], at, axis=0)


@to_onnx.register
def _layer_norm(op: LayerNorm, x: Sequence[str], at: Nodes) -> str:
    if at.opset < 17:
        raise SupernetError(f"opset {at.opset}", "LayerNormalization came with 17", "export with opset 17 or later")
    return at.result("LayerNormalization", [*x, *map(at.parameter, op.weights)], axis=-1, epsilon=op.eps)


@to_onnx.register
def _local_response_norm(op: LocalResponseNorm, x: Sequence[str], at: Nodes) -> str:
    return at.result("LRN", x, size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)


@to_onnx.register
def _response_norm(op: ResponseNorm, x: Sequence[str], at: Nodes) -> str:
    channels = op.axis + 1
    inputs, settings = at.over(*(axis for axis in (1, 2, 3) if axis != channels))
    length = at.node("ReduceL2", [*x, *inputs], **settings)
    inputs, settings = at.over(channels)
    mean = at.node("ReduceMean", [length, *inputs], **settings)
    above_zero = at.node("Add", [mean, at.constant(f"eps.{op.eps}", op.eps)])
    return at.result("Mul", [*x, at.node("Div", [length, above_zero])])


@to_onnx.register
def _rms_norm(op: RMSNorm, x: Sequence[str], at: Nodes) -> str:
    """The nodes that onnxruntime fuses into one kernel."""
    square = at.node("Pow", [*x, at.constant("two", 2.0)])
    inputs, settings = at.over(-1)
    mean = at.node("ReduceMean", [square, *inputs], **settings)
    size = at.node("Sqrt", [at.node("Add", [mean, at.constant(f"eps.{op.eps}", op.eps)])])
    return at.result("Mul", [at.node("Div", [*x, size]), at.parameter()])
