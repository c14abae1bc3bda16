"""`to_onnx`, which writes the nodes of an op and is registered per class of op, and `Nodes`, to which it writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.space.ops import Op, Shape

if TYPE_CHECKING:
    import onnx


PACKED = {"packed4": 4, "packed8": 8}
"""Bits per weight by the form (``doc_string``) of nodes whose constant is packed and computes as real numbers."""

BLOCK = 32
"""Packed weights that share a scale."""

IntegerForm = Literal["", "static", "dynamic", "stored", "packed8"]
"""The form of an op in int8 models, which is the ``doc_string`` of its nodes.

- ``static``: a single node, whose only constant, if any, is a weight per output channel with its bias. It computes in integers
  between pairs of QuantizeLinear and DequantizeLinear, with calibrated ranges;
- ``dynamic``: its MatMul with a constant computes in integers, with the range of each input;
- ``stored``: the constant that its Gather reads is stored as integers and computes as real numbers;
- ``packed8``: only its weights are rounded, to eight bits with a scale per block;
- empty: its values stay real numbers.
"""


class Nodes:
    """A graph under construction, at one op.

    Args:
        weights: arrays by initializer name, in the shapes of `initial_shapes`.
        opset: ONNX operator set.
        open_length: whether sequences may have another length than the ops state.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], opset: int, *, open_length: bool = False) -> None:
        self.opset, self.open_length = opset, open_length
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, NDArray[Any]] = {}
        self.shapes: dict[str, tuple[str | int, ...]] = {}
        """Shapes of results that runtimes do not infer, but need in order to fuse the nodes that follow."""
        self.values: dict[str, str] = {}
        """The graph's name of each named value of the network."""
        self._weights = weights
        self._op = self._output = self._mark = ""

    def write(self, op: Op, name: str, inputs: Sequence[str], output: str, precision: str | None = None) -> str:
        """Write the nodes of an op; returns the name of its result: ``output``, unless the op only passes a value on.

        Args:
            op: the op.
            name: ``<slot>/<op>``.
            inputs, output: names of values.
            precision: of its layer, if that has its own.
        """
        mark = integer_form(op) if precision is None else form_in(op, precision)
        self._op, self._output, self._mark = name, output, mark
        return to_onnx(op, inputs, self)

    def node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node before the op's last one, named ``<slot>/<op>/<operator>``; returns the name of its output."""
        base = f"{self._op}/{operator}"
        taken = sum(node.name == base or node.name.startswith(f"{base}.") for node in self._own())
        name = f"{base}.{taken}" if taken else base
        return self._append(operator, inputs, name, name, attributes)

    def result(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add the op's last node, named ``<slot>/<op>``; returns the name of its output."""
        return self._append(operator, inputs, self._output, self._op, attributes)

    def weight(self, part: str = "weight") -> NDArray[np.float32]:
        """An array of the op."""
        return self._weights[f"{self._op}.{part}"]

    def parameter(self, part: str = "weight", value: NDArray[Any] | None = None) -> str:
        """Name of an initializer of the op: one of its arrays, or ``value``, which was computed from it."""
        name = f"{self._op}.{part}"
        self.initializers[name] = self._weights[name] if value is None else value
        return name

    def shared(self, name: str) -> str:
        """Name of an initializer of another op, which the file has only once."""
        self.initializers[name] = self._weights[name]
        return name

    def constant(self, name: str, value: Any, dtype: type = np.float32) -> str:
        """Name of an initializer that all ops share; a name always has the same value."""
        self.initializers.setdefault(name, np.array(value, dtype=dtype))
        return name

    def over(self, *axes: int) -> tuple[list[str], dict[str, Any]]:
        """Further inputs and attributes of a node that reduces some axes, which remain with length 1."""
        if self.opset < 18:
            return [], {"axes": axes, "keepdims": 1}
        return [self.integers(*axes)], {"keepdims": 1}

    def integers(self, *values: int) -> str:
        """Name of a shared int64 vector: a shape, axes, the ends of a slice."""
        return self.constant(f"int64.{'x'.join(map(str, values))}", values, np.int64)

    def tokens(self, x: str) -> str:
        """Name of an int64 vector with one element: the number of tokens of a sequence at run time."""
        return self.node("Gather", [self.node("Shape", [x]), self.integers(1)])

    def _own(self) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if node.name.startswith(f"{self._op}/")]

    def _append(self, operator: str, inputs: Sequence[str], output: str, name: str, attributes: dict[str, Any]) -> str:
        from onnx import helper

        node = helper.make_node(
            operator, list(inputs), [output], name=name, doc_string=self._mark or None, **attributes
        )
        self.nodes.append(node)
        return output


@singledispatch
def to_onnx(op: Op, x: Sequence[str], at: Nodes) -> str:
    """Write the nodes of an op and return the name of its result.

    Args:
        op: of a class that is registered: ``@to_onnx.register``.
        x: names of its inputs.
        at: the graph.

    Raises:
        SpaceError: the class of op is not registered.
    """
    kind = type(op).__name__
    raise SpaceError(f"op {op.name} ({kind})", "it has no ONNX form", f"register hwnas.graph.to_onnx for {kind}")


@singledispatch
def integer_form(op: Op) -> IntegerForm:
    """The form of an op in int8 models; empty for a class that is not registered."""
    return ""


@singledispatch
def packable(op: Op) -> bool:
    """Whether int4 models pack the op's weight ``(rows, channels)`` into four bits, with a scale per `BLOCK` of a row."""
    return False


def form_in(op: Op, precision: str) -> str:
    """The form of an op in a precision: an `IntegerForm` in int8, ``packed4`` in int4, empty if it is the same as in fp32."""
    if precision == "int4":
        return "packed4" if packable(op) else ""
    return integer_form(op) if precision == "int8" else ""


@singledispatch
def initial_shapes(op: Op) -> Mapping[str, Shape]:
    """Shapes of the arrays that `to_onnx` needs, by part: the op's weights, unless something is folded into them."""
    return op.weights
