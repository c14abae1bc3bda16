"""A network's graph cut at its batch norms, so that their statistics can be gathered one after the other.

Each segment ends where a batch norm begins: it computes the values that will be normalised, and their moments. The
segment after it is fed the moments of the whole batch and goes on. So a batch passes through the network once, in parts
that stay in a processor's cache, and is normalised as one all the same.
"""

# ruff: noqa: PLC0415 (onnx takes a while to import)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.graph._build import IR_VERSION, OPSET, build_model
from hwnas.space import Network, Shape, network_inputs
from hwnas.space.ops import BatchNorm, Conv, Op

if TYPE_CHECKING:
    import onnx

MOMENTS = ("mean", "variance")
"""Outputs of every segment: one number per channel each, of the values it was run on; the variance is biased."""

STATISTICS = (".running_mean", ".running_var")
"""Ends of the names of the inputs ``(channels,)`` that an earlier batch norm normalises by."""

_BARE = ".bare"
"""Ends the name of a value that is not normalised yet."""


@dataclass(frozen=True)
class Segment:
    """The part of a network between two batch norms.

    Attributes:
        model: the serialised ONNX model.
        takes: its inputs: values of earlier segments and of the network's inputs ``(batch, ...)``, statistics.
        gives: its outputs besides the moments, which later segments take: shapes without the batch axis.
        norm: the op whose batch norm it ends at: ``<slot>/<op>``.
    """

    model: bytes
    takes: Sequence[str]
    gives: Mapping[str, Shape]
    norm: str


def norm_prefix(op: Op) -> str | None:
    """What the names of an op's batch-norm tensors begin with: ``"bn."``, or nothing; None if it has no batch norm.

    Raises:
        SpaceError: it keeps statistics, and what it does with them is its own affair.
    """
    if not op.buffers:
        return None
    if isinstance(op, Conv | BatchNorm):
        return "bn." if isinstance(op, Conv) else ""
    rule = "what it does with its statistics is known to torch alone"
    raise SpaceError(f"op {op.name} ({type(op).__name__})", rule, "put a BatchNorm after it instead")


def segments(
    network: Network, weights: Mapping[str, NDArray[np.float32]], norms: Mapping[str, NDArray[np.float32]], eps: float
) -> list[Segment]:
    """The segments of a network in their order; what comes after the last batch norm is in none.

    Args:
        network: its layers.
        weights: as `build_model` takes them, with batch norms folded in that change nothing.
        norms: ``<slot>/<op>.scale`` and ``<slot>/<op>.shift`` ``(channels,)`` of every batch norm.
        eps: added to variances.

    Raises:
        SpaceError: a class of op has no ONNX form, or keeps statistics of its own.
    """
    from onnx import helper, numpy_helper

    ops = {f"{slot}/{op.name}": op for slot, layer in network for op in layer.ops}
    known = {name: _described(name, spec.shape, spec.element) for name, spec in network_inputs(network).items()}
    graph = build_model(network, weights=weights).graph
    parts: list[list[onnx.NodeProto]] = [[]]
    for node in graph.node:
        parts[-1].append(node)
        op = ops.get(node.name)
        if op is None:  # not the last node of an op: its value is read in this op alone
            continue
        (result,) = node.output
        known[result] = _described(result, op.shape)
        if norm_prefix(op) is not None:
            bare, statistics = f"{node.name}{_BARE}", [f"{node.name}{end}" for end in STATISTICS]
            known[bare] = _described(bare, op.shape)
            known |= {name: _described(name, op.shape[:1], batch=()) for name in statistics}
            node.output[0] = bare
            inputs = [bare, f"{node.name}.scale", f"{node.name}.shift", *statistics]
            parts.append([helper.make_node("BatchNormalization", inputs, [result], epsilon=eps)])
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {name: numpy_helper.from_array(value, name) for name, value in norms.items()}
    found: list[Segment] = []
    later: set[str] = set()
    for nodes in reversed(parts[:-1]):
        found.append(_segment(nodes, constants, known, later))
        later |= {name for node in nodes for name in node.input}
    return found[::-1]


def _segment(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, onnx.TensorProto],
    known: Mapping[str, onnx.ValueInfoProto],
    later: set[str],
) -> Segment:
    from onnx import TensorProto, helper

    made = [name for node in nodes for name in node.output]
    read = dict.fromkeys(name for node in nodes for name in node.input if name not in made)
    takes = [name for name in read if name not in constants]
    gives = [name for name in made if name in later]
    bare = nodes[-1].output[0]
    model = helper.make_model(
        helper.make_graph(
            [*nodes, *_moments(bare, len(_shape(known[bare])) + 1)],
            "hwnas",
            [known[name] for name in takes],
            [
                *(known[name] for name in gives),
                *(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in MOMENTS),
            ],
            [constants[name] for name in read if name in constants],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    shapes = {name: _shape(known[name]) for name in gives}
    return Segment(model.SerializeToString(), takes, shapes, bare.removesuffix(_BARE))


def _moments(value: str, rank: int) -> list[onnx.NodeProto]:
    """Mean and variance over all axes but the channels'. The mean is taken off first: its square would drown the rest."""
    from onnx import helper

    mean, variance = MOMENTS
    axes = [0, *range(2, rank)]
    return [
        helper.make_node("ReduceMean", [value], [mean], axes=axes),
        helper.make_node("Sub", [value, mean], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], [variance], axes=axes),
    ]


def _described(name: str, shape: Shape, element: str = "float32", batch: Sequence[str] = ("N",)) -> onnx.ValueInfoProto:
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(element)), [*batch, *shape])


def _shape(value: onnx.ValueInfoProto) -> Shape:
    """Without the batch axis, which comes first."""
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)[1:]
