"""Weights in four or eight bits, for computing in real numbers: int4 of linear maps and embeddings, int8 of causal linear maps.

Every 32 weights of a row share a scale, so a weight takes five or nine bits: 6.4 or 3.6 times less than in fp32. Products of
random weights are 8.6 % off in four bits (9.8 % if 64 weights share a scale, 10.4 % if 128 do), and 0.8 % in eight. The nodes
are onnxruntime's own (``com.microsoft``) and unpack while they multiply. On an AVX2 CPU this takes as long as fp32 for many
tokens (1.6 times as long in eight bits). For a single token, as in text generation, reading the weights dominates, and it takes
half of fp32's time, like dynamic int8.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.graph._build import rewritten
from hwnas.graph.ops import BLOCK, PACKED

if TYPE_CHECKING:
    import onnx

DOMAIN = "com.microsoft"

_AS_INTEGERS = 4
"""The accuracy level of products in integers, whose activations too have eight bits and a scale per block."""

_WEIGHT_AT = {"MatMul": 1, "Gemm": 1, "Gather": 0}
"""Which input of a node is the constant."""


def packed_bytes(shape: tuple[int, ...], bits: int) -> int:
    """Bytes of a packed weight ``(rows, channels)`` with its scales."""
    rows, channels = shape[0], prod(shape[1:])
    return rows * -(-channels // BLOCK) * (BLOCK * bits // 8 + 4)


def in_few_bits(weight: NDArray[np.float32], bits: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """``(rows, blocks, 32)`` integers and ``(rows, blocks)`` scales of a weight ``(rows, channels)``.

    Zero is the integer 8 of 0 to 15, or 128 of 0 to 255. A block's largest absolute weight becomes the integer 0, so that
    the whole range is used.
    """
    middle = 2 ** (bits - 1)
    parts = _blocks(weight)
    farthest = np.take_along_axis(parts, np.abs(parts).argmax(axis=-1, keepdims=True), axis=-1)
    scales = np.where(farthest == 0, 1.0, farthest / -middle).astype(np.float32)
    integers = np.clip(np.rint(parts / scales) + middle, 0, 2 * middle - 1).astype(np.uint8)
    return integers, scales[..., 0]


def in_bytes(integers: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """The integers as bytes; two of four bits share one, the first in the low bits."""
    return integers if bits == 8 else (integers[..., 0::2] | (integers[..., 1::2] << 4)).astype(np.uint8)


def of_few_bits(weight: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """The values of a weight ``(rows, channels)`` after it was packed."""
    integers, scales = in_few_bits(weight, bits)
    values = (integers.astype(np.float32) - 2 ** (bits - 1)) * scales[..., None]
    rows: NDArray[np.float32] = values.reshape(len(weight), -1)
    return rows[:, : weight.shape[1]]


def _blocks(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, channels = weight.shape
    padded = np.zeros((rows, -(-channels // BLOCK) * BLOCK), np.float32)
    padded[:, :channels] = weight
    return padded.reshape(rows, -1, BLOCK)


def packed(model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """The model with packed weights; nodes keep their names.

    Args:
        model: fp32, from `build_model`; not changed.
        precision: ``int4`` packs the weights of all linear maps and embeddings into four bits. Otherwise only nodes with a
            `PACKED` form are packed: those that int8 packs, or in a mixed model those of int4 layers.
    """
    from onnx import helper, numpy_helper

    writer = _Writer({tensor.name: tensor for tensor in model.graph.initializer}, 4 if precision == "int4" else None)
    for node in model.graph.node:
        writer.add(node)
    nodes = writer.finished()
    read = {name for node in nodes for name in node.input}
    initializers = [tensor for name, tensor in writer.weights.items() if name in read]
    initializers += [numpy_helper.from_array(value, name) for name, value in writer.done.items()]
    return rewritten(model, nodes, initializers, [helper.make_opsetid(DOMAIN, 1)])


@dataclass
class _Writer:
    """Nodes in order, and the arrays that they read.

    Attributes:
        weights: of the fp32 model.
        all_in: number of bits of all weights; None if it depends on the node.
        done: new arrays by name.
    """

    weights: dict[str, onnx.TensorProto]
    all_in: int | None
    done: dict[str, NDArray[Any]] = field(default_factory=dict)
    _nodes: list[onnx.NodeProto] = field(default_factory=list)
    _turned: dict[str, onnx.NodeProto] = field(default_factory=dict)

    def add(self, node: onnx.NodeProto) -> None:
        """Add the node, or the nodes that replace it."""
        from onnx import numpy_helper

        bits = PACKED.get(node.doc_string) if self.all_in is None else self.all_in if node.doc_string else None
        at = _WEIGHT_AT.get(node.op_type)
        if node.op_type == "Transpose" and node.input[0] in self.weights:
            self._turned[node.output[0]] = node  # the weight of a tied head: the transposed embedding table
        if at is None or bits is None:
            self._nodes.append(node)
            return
        name, tied = node.input[at], self._turned.get(node.input[at])
        if tied is not None:
            name = tied.input[0]
        if name not in self.weights:
            self._nodes.append(node)
            return
        weight = numpy_helper.to_array(self.weights[name])
        if node.op_type == "Gather" and weight.shape[1] % BLOCK:  # a packed Gather returns whole blocks
            self._nodes.append(node)
        elif node.op_type == "Gather":
            self._pack(name, weight, bits, as_table=True)
            self._nodes.append(_gather(node, bits))
        elif tied is not None:
            rows, channels = weight.shape
            self._pack(name, weight, bits, as_table=True)
            blocks = (rows, channels // BLOCK, BLOCK * bits // 8)
            self._nodes += [
                self._reshaped(name, tied.name, blocks),
                *_product(node, name, f"{name}.blocks", weight.shape, bits),
            ]
        else:
            # Rows are outputs; MatMul has its weight transposed.
            weight = weight.T if node.op_type == "MatMul" else weight
            self._pack(name, weight, bits, as_table=False)
            self._nodes += _product(node, name, f"{name}.packed", weight.shape, bits)

    def finished(self) -> list[onnx.NodeProto]:
        """All nodes, without the transposed tables that nothing reads any more."""
        read = {name for node in self._nodes for name in node.input}
        return [node for node in self._nodes if node.output[0] not in self._turned or node.output[0] in read]

    def _pack(self, name: str, weight: NDArray[np.float32], bits: int, *, as_table: bool) -> None:
        if f"{name}.packed" in self.done:
            return
        integers, scales = in_few_bits(weight, bits)
        kept = in_bytes(integers, bits)
        self.done |= {f"{name}.packed": kept.reshape(len(kept), -1) if as_table else kept, f"{name}.scale": scales}

    def _reshaped(self, name: str, node: str, shape: tuple[int, ...]) -> onnx.NodeProto:
        """The table in the shape that products read; the file holds its bytes only once."""
        from onnx import helper

        self.done[f"{name}.blocks.shape"] = np.array(shape, np.int64)
        return helper.make_node("Reshape", [f"{name}.packed", f"{name}.blocks.shape"], [f"{name}.blocks"], name=node)


def _product(
    node: onnx.NodeProto, weight: str, integers: str, shape: tuple[int, ...], bits: int
) -> list[onnx.NodeProto]:
    from onnx import helper

    x, _, *bias = node.input
    rows, channels = shape
    result = f"{node.name}/MatMulNBits" if bias else node.output[0]
    product = helper.make_node(
        "MatMulNBits",
        [x, integers, f"{weight}.scale"],
        [result],
        name=result if bias else node.name,
        domain=DOMAIN,
        K=channels,
        N=rows,
        bits=bits,
        block_size=BLOCK,
        accuracy_level=_AS_INTEGERS,
    )
    return [product, *([helper.make_node("Add", [result, *bias], node.output, name=node.name)] if bias else [])]


def _gather(node: onnx.NodeProto, bits: int) -> onnx.NodeProto:
    from onnx import helper

    constant, indices = node.input
    return helper.make_node(
        "GatherBlockQuantized",
        [f"{constant}.packed", indices, f"{constant}.scale"],
        node.output,
        name=node.name,
        domain=DOMAIN,
        gather_axis=0,
        quantize_axis=1,
        bits=bits,
        block_size=BLOCK,
    )
