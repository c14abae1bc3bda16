"""`to_onnx`: the nodes of an op, registered per class of op; and `Nodes`, where it writes them."""

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
"""What the ``doc_string`` of nodes says whose constant is kept in few bits, and computed with as real numbers; and how many."""

BLOCK = 32
"""Of those, weights that share a scale."""

IntegerForm = Literal["", "static", "dynamic", "stored", "packed8"]
"""What int8 models make of an op, and what the ``doc_string`` of its nodes says.

- ``static``: a single node whose one constant input, if any, is a weight per output channel with its bias; it computes in
  integers, between pairs of QuantizeLinear and DequantizeLinear by ranges that were seen;
- ``dynamic``: its MatMul with a constant computes in integers, of a range that it finds in every input;
- ``stored``: the constant that its Gather reads is kept as integers, and computes as real numbers;
- ``packed8``: its weights alone are rounded, to eight bits and a scale for each few of them;
- nothing: its values stay real numbers.
"""


class Nodes:
    """The graph while it is written, standing at one op.

    Args:
        weights: arrays by initializer name, as `initial_shapes` states them.
        opset: ONNX operator set.
        open_length: whether sequences may be longer or shorter than the ops say.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], opset: int, *, open_length: bool = False) -> None:
        self.opset, self.open_length = opset, open_length
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, NDArray[Any]] = {}
        self.shapes: dict[str, tuple[str | int, ...]] = {}
        """Of results whose shape no runtime infers, but fuses what follows by."""
        self.values: dict[str, str] = {}
        """Where each named value of the network stands."""
        self._weights = weights
        self._op = self._output = self._mark = ""

    def write(self, op: Op, name: str, inputs: Sequence[str], output: str, precision: str | None = None) -> str:
        """The nodes of an op, and the name of its result: ``output``, unless the op only passes a value on.

        Args:
            op: with inputs of these names.
            name: ``<slot>/<op>``.
            inputs, output: names of values.
            precision: of its layer; None where that is not decided here.
        """
        mark = integer_form(op) if precision is None else form_in(op, precision)
        self._op, self._output, self._mark = name, output, mark
        return to_onnx(op, inputs, self)

    def node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """A node on the way to the op's result, ``<slot>/<op>/<operator>``; the name of its output."""
        base = f"{self._op}/{operator}"
        taken = sum(node.name == base or node.name.startswith(f"{base}.") for node in self._own())
        name = f"{base}.{taken}" if taken else base
        return self._append(operator, inputs, name, name, attributes)

    def result(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """The op's last node, named ``<slot>/<op>``; the name of its output."""
        return self._append(operator, inputs, self._output, self._op, attributes)

    def weight(self, part: str = "weight") -> NDArray[np.float32]:
        """An array of the op."""
        return self._weights[f"{self._op}.{part}"]

    def parameter(self, part: str = "weight", value: NDArray[Any] | None = None) -> str:
        """Name of an initializer of the op: its array, or ``value`` made from it."""
        name = f"{self._op}.{part}"
        self.initializers[name] = self._weights[name] if value is None else value
        return name

    def shared(self, name: str) -> str:
        """Name of an initializer of another op: its array is there once."""
        self.initializers[name] = self._weights[name]
        return name

    def constant(self, name: str, value: Any, dtype: type = np.float32) -> str:
        """Name of an initializer that all ops share: the same name always stands for the same value."""
        self.initializers.setdefault(name, np.array(value, dtype=dtype))
        return name

    def integers(self, *values: int) -> str:
        """Name of a shared int64 vector: a shape, axes, the ends of a slice."""
        return self.constant(f"int64.{'x'.join(map(str, values))}", values, np.int64)

    def tokens(self, x: str) -> str:
        """Name of an int64 vector of one: how many tokens a sequence has when the graph runs."""
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
    """Writes the nodes of an op and returns the name of its result.

    Args:
        op: of a class that is registered: ``@to_onnx.register``.
        x: names of its inputs.
        at: where nodes, weights and constants go.

    Raises:
        SpaceError: the class of op is not registered.
    """
    kind = type(op).__name__
    raise SpaceError(f"op {op.name} ({kind})", "it has no ONNX form", f"register hwnas.graph.to_onnx for {kind}")


@singledispatch
def integer_form(op: Op) -> IntegerForm:
    """What int8 models make of an op; nothing, for a class that is not registered."""
    return ""


@singledispatch
def packable(op: Op) -> bool:
    """Whether int4 models keep its weight ``(rows, channels)`` in four bits, a scale for every few channels of a row."""
    return False


def form_in(op: Op, precision: str) -> str:
    """What a precision makes of an op: an `IntegerForm` of int8, ``packed4`` of int4; nothing where it is as in fp32."""
    if precision == "int4":
        return "packed4" if packable(op) else ""
    return integer_form(op) if precision == "int8" else ""


@singledispatch
def initial_shapes(op: Op) -> Mapping[str, Shape]:
    """Shapes of the arrays that `to_onnx` wants, by part: the op's weights, unless something was folded into them."""
    return op.weights
