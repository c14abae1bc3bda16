"""Weights in four bits, computed with in real numbers: int4 of linear maps and embeddings.

Every 32 weights of a row share a scale, so that a weight takes five bits: 6.4 times less than in fp32, 1.6 times less than in
int8. Products of random weights are 8.6 % off (9.8 % if 64 share one, 10.4 % if 128 do; int8: 1.7 %). The nodes are onnxruntime's own (``com.microsoft``), which unpacks as it multiplies. On an AVX2 CPU that takes as long as
fp32 where many tokens are multiplied, and as long as int8, half of fp32's time, where it is one: reading weights is what takes
long then, which is how a language model writes.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.graph.ops import BLOCK, PACKED

if TYPE_CHECKING:
    import onnx

DOMAIN = "com.microsoft"

_MIDDLE = 8
"""What stands for 0, among 0 to 15."""

_AS_INTEGERS = 4
"""The accuracy level at which products are of integers: activations in eight bits, a scale for each block too."""


def packed_bytes(shape: tuple[int, ...]) -> int:
    """Of a weight ``(rows, channels)`` with its scales."""
    rows, channels = shape[0], prod(shape[1:])
    return rows * -(-channels // BLOCK) * (BLOCK // 2 + 4)


def packed(model: onnx.ModelProto, *, marked_alone: bool = False) -> onnx.ModelProto:
    """The model with the weights of linear maps and embeddings in four bits; nodes keep their names.

    Args:
        model: fp32, from `build_model`; stays as it is.
        marked_alone: only those of layers that are int4, because others have other precisions.
    """
    from onnx import helper, numpy_helper

    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    done: dict[str, NDArray[Any]] = {}
    for node in model.graph.node:
        at = _WEIGHT_AT.get(node.op_type)
        wanted = node.doc_string == PACKED if marked_alone else bool(node.doc_string)
        if at is None or not wanted or node.input[at] not in weights:
            nodes.append(node)
            continue
        name = node.input[at]
        weight = numpy_helper.to_array(weights[name])
        if node.op_type == "Gather" and weight.shape[1] % BLOCK:  # it would give whole blocks
            nodes.append(node)
            continue
        # Rows are what a token is looked up by, or an output is made of: MatMul's weight stands the other way.
        integers, scales = four_bits(weight.T if node.op_type == "MatMul" else weight)
        if node.op_type == "Gather":
            integers = integers.reshape(len(integers), -1)
        done |= {f"{name}.packed": integers, f"{name}.scale": scales}
        nodes += _gather(node) if node.op_type == "Gather" else _product(node, weight.shape)
    read = {name for node in nodes for name in node.input}  # a tied head reads the table of words too
    kept = [tensor for name, tensor in weights.items() if name in read]
    graph = helper.make_graph(
        nodes,
        model.graph.name,
        model.graph.input,
        model.graph.output,
        [*kept, *(numpy_helper.from_array(value, name) for name, value in done.items())],
        value_info=model.graph.value_info,
    )
    result = helper.make_model(
        graph,
        opset_imports=[*model.opset_import, helper.make_opsetid(DOMAIN, 1)],
        ir_version=model.ir_version,
        producer_name=model.producer_name,
    )
    helper.set_model_props(result, {entry.key: entry.value for entry in model.metadata_props})
    return result


_WEIGHT_AT = {"MatMul": 1, "Gemm": 1, "Gather": 0}
"""Which input of a node is the constant."""


def four_bits(weight: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """``(rows, blocks, 16)`` pairs of integers, the first in the low bits, and ``(rows, blocks)`` scales, of ``(rows, channels)``.

    The weight of a block that is farthest from 0 becomes -8, so that all sixteen numbers are of use.
    """
    rows, channels = weight.shape
    blocks = -(-channels // BLOCK)
    padded = np.zeros((rows, blocks * BLOCK), np.float32)
    padded[:, :channels] = weight
    parts = padded.reshape(rows, blocks, BLOCK)
    farthest = np.take_along_axis(parts, np.abs(parts).argmax(axis=-1, keepdims=True), axis=-1)
    scales = np.where(farthest == 0, 1.0, farthest / -_MIDDLE).astype(np.float32)
    integers = np.clip(np.rint(parts / scales) + _MIDDLE, 0, 15).astype(np.uint8)
    return (integers[..., 0::2] | (integers[..., 1::2] << 4)).astype(np.uint8), scales[..., 0]


def _product(node: onnx.NodeProto, shape: tuple[int, ...]) -> list[onnx.NodeProto]:
    from onnx import helper

    x, constant, *bias = node.input
    channels, rows = shape if node.op_type == "MatMul" else shape[::-1]
    result = f"{node.name}/MatMulNBits" if bias else node.output[0]
    product = helper.make_node(
        "MatMulNBits",
        [x, f"{constant}.packed", f"{constant}.scale"],
        [result],
        name=result if bias else node.name,
        domain=DOMAIN,
        K=channels,
        N=rows,
        bits=4,
        block_size=BLOCK,
        accuracy_level=_AS_INTEGERS,
    )
    return [product, *([helper.make_node("Add", [result, *bias], node.output, name=node.name)] if bias else [])]


def _gather(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    from onnx import helper

    constant, indices = node.input
    return [
        helper.make_node(
            "GatherBlockQuantized",
            [f"{constant}.packed", indices, f"{constant}.scale"],
            node.output,
            name=node.name,
            domain=DOMAIN,
            gather_axis=0,
            quantize_axis=1,
            bits=4,
            block_size=BLOCK,
        )
    ]
