"""A network's graph cut at its batch norms, so that their statistics can be gathered one after another.

Each segment ends before a batch norm and computes the values to be normalised. The next segment gets their moments over the
whole batch. So a batch passes through the network once, in parts that fit into a processor's cache, and is nevertheless
normalised as a whole.

A pointwise convolution is linear in each pixel, so the moments of its output follow from the covariance of its input channels.
Where it widens, the cut is made before it. Its weights are then inputs into which the norm is folded, so that its many output
channels are never stored unnormalised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
"""Endings of inputs ``(channels,)``: the statistics of an earlier batch norm."""

FOLDED = (".weight", ".bias")
"""Endings of inputs: the weights of a pointwise convolution with its norm folded in, in the shapes of `build_model`."""

_BARE = ".bare"
"""Ending of a value that is not normalised yet."""

_WIDER = 2
"""Ratio of output to input channels from which a covariance costs less than it saves."""


@dataclass(frozen=True)
class Segment:
    """The part of a network between two batch norms.

    Attributes:
        model: the serialised ONNX model.
        takes: inputs with a batch axis: values of earlier segments, and the network's inputs.
        fed: inputs without a batch axis: statistics, or weights with the norm folded in.
        gives: shapes, without the batch axis, of the outputs: values that are watched or that later segments take.
        norm: the op whose batch norm comes next: ``<slot>/<op>``.
        watches: the value whose moments are wanted, of this segment or an earlier one: the value to be normalised, or the
            input of the pointwise convolution ``norm``.
        pointwise: whether it is the input of a pointwise convolution.
    """

    model: bytes
    takes: Sequence[str]
    fed: Sequence[str]
    gives: Mapping[str, Shape]
    norm: str
    watches: str
    pointwise: bool


def norm_prefix(op: Op) -> str | None:
    """The prefix of an op's batch-norm tensors: ``"bn."`` or empty; None if it has no batch norm.

    Raises:
        SpaceError: it keeps statistics, but is not known to be a batch norm.
    """
    if not any("running_" in part for part in op.buffers):
        return None
    if isinstance(op, Conv | BatchNorm):
        return "bn." if isinstance(op, Conv) else ""
    rule = "only torch knows what it does with its statistics"
    raise SpaceError(f"op {op.name} ({type(op).__name__})", rule, "put a BatchNorm after it instead")


def segments(
    network: Network, weights: Mapping[str, NDArray[np.float32]], norms: Mapping[str, NDArray[np.float32]], eps: float
) -> list[Segment]:
    """The segments of a network in order. The part after the last batch norm is in none.

    Args:
        network: its layers.
        weights: as in `build_model`, with neutral batch norms folded in.
        norms: ``<slot>/<op>.scale`` and ``<slot>/<op>.shift`` ``(channels,)`` of every batch norm.
        eps: added to variances.

    Raises:
        SpaceError: a class of op has no ONNX form, or keeps statistics of its own.
    """
    from onnx import numpy_helper

    ops = {f"{slot}/{op.name}": op for slot, layer in network for op in layer.ops}
    inputs = network_inputs(network)
    known = {name: _described(name, spec.shape, spec.element) for name, spec in inputs.items()}
    graph = build_model(network, weights=weights).graph
    parts, ends, settings = _cut(graph.node, ops, weights, eps, known)
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
    """The end of a segment; see `Segment`."""

    norm: str
    watches: str
    pointwise: bool


def _cut(
    nodes: Iterable[onnx.NodeProto],
    ops: Mapping[str, Op],
    weights: Mapping[str, NDArray[np.float32]],
    eps: float,
    known: dict[str, onnx.ValueInfoProto],
) -> tuple[list[list[onnx.NodeProto]], list[_End], dict[str, onnx.ValueInfoProto]]:
    """The nodes between batch norms, the ends of these parts, and the inputs by which norms are fed.

    Descriptions of values are added to ``known``.
    """
    from onnx import helper

    settings: dict[str, onnx.ValueInfoProto] = {}
    parts: list[list[onnx.NodeProto]] = [[]]
    ends: list[_End] = []
    for node in nodes:
        op = ops.get(node.name)
        if op is None:  # not the last node of an op, so its value is only read within the op
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
    return parts, ends, settings


def _widens(op: Op) -> bool:
    """Whether an op is a pointwise convolution with many more output than input channels."""
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
    """The shape without the batch axis."""
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)[1:]
