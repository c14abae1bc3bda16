"""`Reading`, a graph that is being read into ops, and `reads`, with which families register their readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SupernetError
from hwnas.graph.read._curve import Curve
from hwnas.graph.read._file import Graph, attributes, evaluated
from hwnas.graph.read._moments import Moment
from hwnas.graph.read._refused import label, refusal
from hwnas.space import Op, OpList, Shape
from hwnas.space.ops import (
    FORMULAS,
    Activation,
    Add,
    Affine,
    ChannelMean,
    LayerNorm,
    Linear,
    Mul,
    Pads,
    Power,
    PRelu,
    Transpose,
)

if TYPE_CHECKING:
    import onnx

Constant = NDArray[Any]


@dataclass(frozen=True)
class Padded:
    """A value with a number around it."""

    number: int
    pads: Pads
    around: float


@dataclass(frozen=True)
class Spread:
    """A gate of height and width 1, repeated over a feature map."""

    number: int


Value = int | Constant | Curve | Padded | Moment | Spread
"""The number of an op's value, a constant, or what only later nodes make an op of."""

Reader = Callable[["Reading"], Value | Sequence[Value]]
"""Reads the current node of a `Reading`; returns its value, or one value per output."""

READERS: dict[str, Reader] = {}

JOINS: dict[str, type[Op]] = {"Add": Add, "Sum": Add, "Mul": Mul}


def reads(*operators: str) -> Callable[[Reader], Reader]:
    """Register a reader for the nodes of some operators."""

    def register(reader: Reader) -> Reader:
        READERS.update(dict.fromkeys(operators, reader))
        return reader

    return register


class Reading:
    """Ops and weights read so far.

    Args:
        graph: of the file.
        origin: the file, for messages.

    Attributes:
        list: the ops; sizes are those of the file's own image.
        weights: of each op, by part.
        nodes: the name of each op's node.
        values: by their names in the file.
        node: the current node.
        attributes: of the current node.
        eps: of batch norms, by position of the op.
        shuffled: values that are another value's channels as rows, transposed: that value's number, and the rows.
        joined: values of joins, by axis and the numbers of the joined values.
    """

    def __init__(self, graph: Graph, origin: str) -> None:
        self.graph, self.origin = graph, origin
        self.list = OpList(graph.shape)
        self.weights: list[dict[str, NDArray[np.float32]]] = []
        self.nodes: list[str] = []
        self.values: dict[str, Value] = {**graph.constants, graph.input: 0}
        self.node: onnx.NodeProto
        self.attributes: dict[str, Any] = {}
        self.eps: dict[int, float] = {}
        self.shuffled: dict[int, tuple[int, int]] = {}
        self.joined: dict[tuple[int, ...], int] = {}

    def read(self, node: onnx.NodeProto) -> None:
        """Read one node.

        Raises:
            SupernetError: names the node.
        """
        self.node, self.attributes = node, attributes(node)
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise self.error(f"no node before it computes {missing[0]}", "export the network again")
        given = {name: self.values[name] for name in node.input if name}
        arrays = {name: value for name, value in given.items() if isinstance(value, np.ndarray)}
        found: Value | Sequence[Value]
        if len(arrays) == len(given) and node.op_type not in _RANDOM:
            found = self._computed(arrays)
        elif node.op_type in READERS:
            found = READERS[node.op_type](self)
        else:
            raise self.error("hwnas cannot read this operator", f"it reads {', '.join(sorted(READERS))}")
        each = found if isinstance(found, (list, tuple)) else [found]
        self.values |= {name: value for name, value in zip(node.output, each, strict=False) if name}

    def _computed(self, arrays: dict[str, Constant]) -> list[Constant]:
        try:
            return evaluated(self.node, arrays, self.graph.opset)
        except Exception as error:  # noqa: BLE001 (the reference implementation raises anything)
            reason = next(iter(str(error).splitlines()), repr(error))
            raise self.error(f"its constants cannot be computed ({reason})") from None

    # --- inputs -------------------------------------------------------------------------------

    def has(self, i: int) -> bool:
        """Whether the node has an i-th input."""
        return len(self.node.input) > i and bool(self.node.input[i])

    def raw(self, i: int = 0) -> Value:
        """The i-th input."""
        return self.values[self.node.input[i]]

    def constant(self, i: int, what: str) -> Constant:
        """The i-th input, which must be a constant.

        Args:
            i: its position.
            what: its role, for messages.
        """
        value = self.raw(i)
        if not isinstance(value, np.ndarray):
            raise self.error(
                f"its {what} is computed, and hwnas can only read constants", "export with constants folded"
            )
        return value

    def setting(self, i: int, attribute: str) -> Constant | None:
        """A setting that is an attribute in older operator sets and the i-th input in newer ones; None if it is not given."""
        if self.has(i):
            return self.constant(i, attribute)
        value = self.attributes.get(attribute)
        return None if value is None else np.asarray(value)

    def value(self, i: int = 0) -> int:
        """The number of the i-th input."""
        return self.number(self.raw(i))

    def shape(self, i: int = 0) -> Shape:
        """Shape of the i-th input."""
        return self.list.shape(self.value(i))

    # --- ops ----------------------------------------------------------------------------------

    def add(
        self, kind: Callable[..., Op], *inputs: int, weights: dict[str, NDArray[Any]] | None = None, **settings: Any
    ) -> int:
        """Add an op; returns the number of its value."""
        value = self.list.apply(kind, f"op{len(self.weights)}", *inputs, **settings)
        self.weights.append({part: np.asarray(array, dtype=np.float32) for part, array in (weights or {}).items()})
        self.nodes.append(self.label)
        return value

    def number(self, value: Value) -> int:
        """The number of a value. For an elementwise function, an activation is added first."""
        if isinstance(value, int):
            return value
        if isinstance(value, np.ndarray):
            raise self.error("it computes with a constant in place of a feature map")
        if isinstance(value, Padded):
            raise self.error(
                "a node pads its input, which hwnas only reads before convolutions and pools", "pad in this node"
            )
        if isinstance(value, Moment):
            if value.is_of_channels(self.list.shape(value.x)):
                return self.add(ChannelMean, value.x)
            raise self.error("a node before it averages over one axis, which hwnas only reads of channels and in norms")
        if isinstance(value, Spread):
            raise self.error("a node before it repeats one pixel, which hwnas only reads in gates")
        if value.number is None:
            value.number = self._activation(value)
        return value.number

    def scaled(self, x: int, line: tuple[float, float]) -> int:
        """``slope * x + offset``: a scale and a shift of each channel."""
        if np.allclose(line, (1, 0), rtol=0, atol=1e-7):
            return x
        axis = self._channels(x)
        size = self.list.shape(x)[axis]
        weights = {part: np.full(size, value) for part, value in zip(("weight", "bias"), line, strict=True)}
        return self.add(Affine, x, weights=weights, axis=axis)

    def _channels(self, x: int) -> int:
        """The axis of a value's channels: the last one behind a linear map or a layer norm."""
        op = self.list.ops[x - 1] if x else None
        if isinstance(op, (Linear, LayerNorm)):
            return len(op.shape) - 1
        if isinstance(op, Transpose):
            return op.axes.index(self._channels(op.inputs[0]))
        return self._channels(op.inputs[0]) if isinstance(op, (Activation, Add, Affine, Mul, Power, PRelu)) else 0

    def _activation(self, curve: Curve) -> int:
        line, function = curve.line(), curve.function()
        if line is not None:
            return self.scaled(curve.root, line)
        if function is not None:
            return self.add(Activation, curve.root, function=function)
        power = curve.power()
        if power is not None:
            return self.add(Power, curve.root, exponent=power[0], least=power[1])
        slope = curve.slope()
        if slope is not None:
            slopes = np.full(self.list.channels(curve.root), slope)
            return self.add(PRelu, curve.root, weights={"slope": slopes})
        for inner in curve.ancestors():
            samples = curve.seen_from(inner)
            outer = Curve(0, samples) if samples is not None else None
            if outer is not None and (function := outer.function()) is not None:
                return self.add(Activation, self.number(inner), function=function)
            if outer is not None and (line := outer.line()) is not None:
                return self.scaled(self.number(inner), line)
        assert curve.node is not None
        if curve.node.op_type in JOINS and len(curve.parts) == 2:
            return self.add(JOINS[curve.node.op_type], *map(self.number, curve.parts))
        inner_nodes = dict.fromkeys(inner.node.op_type for inner in curve.ancestors() if inner.node is not None)
        rule = f"{' of '.join([curve.node.op_type, *inner_nodes])} is no activation that hwnas knows"
        raise refusal(curve.node, self.origin, rule, f"it knows {', '.join(FORMULAS)}")

    # --- messages -----------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """The name of the current node."""
        return label(self.node)

    def error(self, rule: str, remedy: str = "export the network without it") -> SupernetError:
        """An error to raise, which names the current node, its operator and the file."""
        return refusal(self.node, self.origin, rule, remedy)


_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")
