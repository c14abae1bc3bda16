"""Linear maps: Gemm for vectors, and MatMul with a weight ``(in, out)`` for sequences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.graph.ops._nodes import BLOCK, IntegerForm, Nodes, integer_form, packable, to_onnx
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
    """Static ranges suit vectors only: activations of transformers have outliers, which would stretch a range for all inputs.

    Dynamic ranges do not suit causal networks: a range of all tokens makes a token depend on later ones, so that a generated
    token would differ from the same token read in a prompt. They also cost more: on 512 tokens all linear maps of SmolLM2-135M
    but the head lost 0.57 nats in this form, and 0.004 with only the weights in eight bits.
    """
    if op.causal:
        return "packed8"
    return "static" if len(op.in_shape) == 1 else "dynamic"


@packable.register
def _packable(op: Linear) -> bool:
    return True


@integer_form.register
def _tied_integer(op: TiedLinear) -> IntegerForm:
    return "packed8" if packable(op) else ""


@packable.register
def _tied_packable(op: TiedLinear) -> bool:
    """Whether its table can be read in whole blocks."""
    return op.in_shape[-1] % BLOCK == 0


@to_onnx.register
def _tied_linear(op: TiedLinear, x: Sequence[str], at: Nodes) -> str:
    """Runtimes transpose a constant when they load it."""
    return at.result("MatMul", [*x, at.node("Transpose", [at.shared(f"{op.table}.weight")], perm=[1, 0])])
