"""Linear maps: Gemm of vectors, MatMul of sequences, whose weight stands ``(in, out)`` there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.graph.ops._nodes import IntegerForm, Nodes, integer_form, packable, to_onnx
from hwnas.space.ops import Linear, TiedLinear


@to_onnx.register
def _linear(op: Linear, x: Sequence[str], at: Nodes) -> str:
    if len(op.in_shape) == 1:
        return at.result("Gemm", [*x, *map(at.parameter, op.weights)], transB=1)
    product = [*x, at.parameter("weight", np.ascontiguousarray(at.weight().T))]
    if not op.bias:
        return at.result("MatMul", product)
    return at.result("Add", [at.node("MatMul", product), at.parameter("bias")])


@integer_form.register
def _integer(op: Linear) -> IntegerForm:
    """Activations of transformers have outliers, which would stretch a range that holds for all inputs."""
    return "static" if len(op.in_shape) == 1 else "dynamic"


@packable.register
def _packable(op: Linear) -> bool:
    return True


@to_onnx.register
def _tied_linear(op: TiedLinear, x: Sequence[str], at: Nodes) -> str:
    """Runtimes turn a constant over when they load it."""
    return at.result("MatMul", [*x, at.node("Transpose", [at.shared(f"{op.table}.weight")], perm=[1, 0])])
