"""A network's graph cut at its batch norms, so that their statistics can be gathered one after the other.

Each segment ends where a batch norm begins: it computes the values that will be normalised. The segment after it is fed
their moments over the whole batch and goes on. So a batch passes through the network once, in parts that stay in a
processor's cache, and is normalised as one all the same.

What a pointwise convolution makes of its input is linear in each pixel, so its moments follow from the covariance of the
input's channels. Where it widens, the cut is made before it: its many channels are normalised as they are computed, by
weights that are fed, and are never written down without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.graph._build import IR_VERSION, OPSET, build_model
from hwnas.space import Network, Shape, network_inputs
from hwnas.space.ops import BatchNorm, Conv, Op

if TYPE_CHECKING:
    import onnx

STATISTICS = (".running_mean", ".running_var")
"""Ends of the names of the inputs ``(channels,)`` that an earlier batch norm normalises by."""

FOLDED = (".weight", ".bias")
"""Ends of the names of the inputs by which a pointwise convolution normalises, shaped as `build_model` takes them."""

_BARE = ".bare"
"""Ends the name of a value that is not normalised yet."""

_WIDER = 2
"""Channels out per channel in from which on a covariance costs less than what it saves."""


@dataclass(frozen=True)
class Segment:
    """The part of a network between two batch norms.

    Attributes:
        model: the serialised ONNX model.
        takes: its inputs with a batch axis: values of earlier segments and of the network's inputs.
        fed: its inputs without: statistics, or weights that they are folded into.
        gives: its outputs, which later segments take or which are watched: shapes without the batch axis.
        norm: the op whose batch norm comes next: ``<slot>/<op>``.
        watches: the value whose moments are wanted, here or from an earlier segment: what is to be normalised, or
            what the pointwise convolution ``norm`` reads.
        pointwise: which of the two.
    """

    model: bytes
    takes: Sequence[str]
    fed: Sequence[str]
    gives: Mapping[str, Shape]
    norm: str
    watches: str
    pointwise: bool


def norm_prefix(op: Op) -> str | None:
    """What the names of an op's batch-norm tensors begin with: ``"bn."``, or nothing; None if it has no batch norm.

    Raises:
        SpaceError: it keeps statistics, and what it does with them is its own affair.
    """
    if not any("running_" in part for part in op.buffers):
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
    inputs = network_inputs(network)
    known = {name: _described(name, spec.shape, spec.element) for name, spec in inputs.items()}
    settings: dict[str, onnx.ValueInfoProto] = {}
    graph = build_model(network, weights=weights).graph
    parts: list[list[onnx.NodeProto]] = [[]]
    ends: list[_End] = []
    for node in graph.node:
        op = ops.get(node.name)
        if op is None:  # not the last node of an op: its value is read in this op alone
            parts[-1].append(node)
            continue
        (result,) = node.output
        known[result] = _described(result, op.shape)
        if norm_prefix(op) is None:
            parts[-1].append(node)
        elif parts[-1] and _widens(op):
            ends.append(_End(node.name, node.input[0], pointwise=True))
            names = [f"{node.name}{end}" for end in FOLDED]
            settings |= {name: _described(name, weights[name].shape, batch=()) for name in names}
            parts.append([node])
        else:
            bare, names = f"{node.name}{_BARE}", [f"{node.name}{end}" for end in STATISTICS]
            known[bare] = _described(bare, op.shape)
            settings |= {name: _described(name, op.shape[:1], batch=()) for name in names}
            node.output[0] = bare
            parts[-1].append(node)
            ends.append(_End(node.name, bare, pointwise=False))
            read = [bare, f"{node.name}.scale", f"{node.name}.shift", *names]
            parts.append([helper.make_node("BatchNormalization", read, [result], epsilon=eps)])
    constants = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in settings}
    constants |= {name: numpy_helper.from_array(value, name) for name, value in norms.items()}
    found: list[Segment] = []
    later: set[str] = set()
    for nodes, end in reversed(list(zip(parts[:-1], ends, strict=True))):
        later.add(end.watches)
        found.append(_segment(nodes, end, constants, known | settings, later))
        later |= {name for node in nodes for name in node.input}
    return found[::-1]


class _End(NamedTuple):
    """Where a segment ends; see `Segment`."""

    norm: str
    watches: str
    pointwise: bool


def _widens(op: Op) -> bool:
    """Whether an op is a pointwise convolution with many more channels than it reads."""
    return (
        isinstance(op, Conv)
        and (op.kernel, op.stride, op.pads, op.groups) == ((1, 1), (1, 1), (0, 0, 0, 0), 1)
        and op.channels >= _WIDER * op.in_shape[0]
    )


def _segment(
    nodes: Sequence[onnx.NodeProto],
    end: _End,
    constants: Mapping[str, onnx.TensorProto],
    known: Mapping[str, onnx.ValueInfoProto],
    later: set[str],
) -> Segment:
    from onnx import helper

    made = [name for node in nodes for name in node.output]
    read = dict.fromkeys(name for node in nodes for name in node.input if name not in made)
    inputs = [name for name in read if name not in constants]
    gives = [name for name in made if name in later]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "hwnas",
            [known[name] for name in inputs],
            [known[name] for name in gives],
            [constants[name] for name in read if name in constants],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    fed = [name for name in inputs if name.endswith((*STATISTICS, *FOLDED))]
    takes = [name for name in inputs if name not in fed]
    return Segment(model.SerializeToString(), takes, fed, {name: _shape(known[name]) for name in gives}, *end)


def _described(name: str, shape: Shape, element: str = "float32", batch: Sequence[str] = ("N",)) -> onnx.ValueInfoProto:
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(element)), [*batch, *shape])


def _shape(value: onnx.ValueInfoProto) -> Shape:
    """Without the batch axis, which comes first."""
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)[1:]
