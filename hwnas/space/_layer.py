"""LayerSpec: one profiled unit of a network, described by primitive operations.

A layer (an MBConv, a stem, an encoder block) is a short list of primitive ops in single-assignment form. MACs, parameters, the
ONNX graph and the torch function are all derived from that list, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from hwnas.errors import SpaceError
from hwnas.space.ops import Op, Shape, TensorSpec

_IN = "@"
"""Between key and precision."""

_CONVERTED = "-converted"
"""After the precision, if the layer's input has the memory layout that a conversion wrote."""


@dataclass(frozen=True)
class LayerSpec:
    """One profiled unit: its key (a row of latency tables), input shape and ops.

    Specs with equal keys are equal: the key holds everything that latency depends on. In a network of several precisions a key
    ends in ``@`` and the layer's precision, and shows whether its input was converted.

    Attributes:
        key: identifies the layer in tables.
        input_shape: of the previous layer's output (float32); ``()`` if the layer reads only named values.
        ops: the last op gives the layer's output. `OpList` builds them.
    """

    key: str
    input_shape: Shape = field(compare=False)
    ops: tuple[Op, ...] = field(compare=False, repr=False)

    @property
    def output_shape(self) -> Shape:
        """Shape of its output."""
        return self.ops[-1].shape

    @property
    def precision(self) -> str | None:
        """The layer's own precision (`in_precision`); None if it has the network's."""
        return self.key.partition(_IN)[2].removesuffix(_CONVERTED) or None

    @property
    def converted(self) -> bool:
        """Whether its input has the memory layout that a conversion wrote, rather than a kernel of its precision."""
        return self.key.endswith(_CONVERTED) and _IN in self.key

    @property
    def bare_key(self) -> str:
        """Its key without precision and conversion, which are columns of their own in tables."""
        return self.key.partition(_IN)[0]

    def in_precision(self, precision: str, *, converted: bool = False) -> LayerSpec:
        """The same layer with its own precision; see `converted`."""
        return replace(self, key=f"{self.bare_key}{_IN}{precision}{_CONVERTED if converted else ''}")

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions, linear maps and attention for one sample.

        Squeeze-excite is included; norms, activations, poolings and additions are not.
        """
        return sum(op.macs for op in self.ops)

    @cached_property
    def params(self) -> int:
        """Trainable parameters, including batch norms without their running statistics."""
        return sum(op.params for op in self.ops)

    @property
    def reads(self) -> dict[str, TensorSpec]:
        """Named values that it reads beside its input."""
        return {name: spec for op in self.ops for name, spec in op.reads.items()}

    @property
    def writes(self) -> dict[str, TensorSpec]:
        """Named values that it writes for later layers."""
        return {name: spec for op in self.ops for name, spec in op.writes.items()}


Network = Sequence[tuple[str, LayerSpec]]
"""``(slot name, layer)`` in network order, as ``SearchSpace.network`` gives it.

The input of each layer is the output of the layer before it. It reads further values by name: a value that an earlier layer wrote,
or an input of the network (``attention_mask``).
"""


def named_ops(network: Iterable[tuple[str, LayerSpec]]) -> Iterator[tuple[str, Op]]:
    """All ops of a network, with their names ``"<slot>/<op>"``."""
    for slot, layer in network:
        for op in layer.ops:
            yield f"{slot}/{op.name}", op


def network_inputs(network: Network) -> dict[str, TensorSpec]:
    """The network's inputs: named values that no earlier layer writes, and ``input``, the first layer's input.

    Raises:
        SpaceError: layers do not fit together: an input has another shape than the previous output, or a named value is read with
            another shape or type than it was written with.
    """
    first = network[0][1].input_shape
    inputs = {"input": TensorSpec(first)} if first else {}
    written: dict[str, TensorSpec] = {}
    before: tuple[str, Shape] | None = None
    for slot, layer in network:
        if before is not None and before[1] != layer.input_shape:
            rule = f"it takes {layer.input_shape}, but {before[0]} gives {before[1]}"
            raise SpaceError(f"layer {slot}", rule, "correct the space's slots")
        for op in layer.ops:
            for name, spec in op.reads.items():
                known = written.get(name) or inputs.setdefault(name, spec)
                _check_value(slot, name, spec, known)
            written |= op.writes
        before = slot, layer.output_shape
    return inputs


def _check_value(slot: str, name: str, spec: TensorSpec, known: TensorSpec) -> None:
    if (spec.shape, spec.element) != (known.shape, known.element):
        found = f"it reads {name!r} as {spec.element} {spec.shape}, but it is {known.element} {known.shape}"
        raise SpaceError(f"layer {slot}", found, "correct the space's slots")
