"""LayerSpec: one profiled unit of a network, described by primitive operations.

A layer (an MBConv, a stem, an encoder block) is a short list of primitive ops in single-assignment
form. Its MACs, its parameters, the ONNX graph that is profiled and exported, and the torch
function that runs it are all derived from that one list, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from hwnas.errors import SpaceError
from hwnas.space.ops import Op, Shape, TensorSpec

_IN = "@"
"""Stands between a key and a precision."""

_CONVERTED = "-converted"
"""Behind a precision: of a layer whose input lies as a conversion left it."""


@dataclass(frozen=True)
class LayerSpec:
    """One profiled unit: its key (a row name of latency tables), input shape and ops.

    Two specs are equal when their keys are: the key states everything latency depends on. In a network of several
    precisions the key of each layer ends in ``@`` and its precision, and says whether its input was converted.

    Attributes:
        key: of tables.
        input_shape: of what the layer before it returns (float32); ``()`` if it reads named values alone.
        ops: the last one's output is the layer's. `OpList` builds them.
    """

    key: str
    input_shape: Shape = field(compare=False)
    ops: tuple[Op, ...] = field(compare=False, repr=False)

    @property
    def output_shape(self) -> Shape:
        """Shape of what it gives to the next layer."""
        return self.ops[-1].shape

    @property
    def precision(self) -> str | None:
        """The precision that it computes in, if it has its own (`in_precision`); None if it has the network's."""
        return self.key.partition(_IN)[2].removesuffix(_CONVERTED) or None

    @property
    def converted(self) -> bool:
        """Whether its input lies in memory as a conversion left it, rather than as a kernel of its precision would
        leave it."""
        return self.key.endswith(_CONVERTED) and _IN in self.key

    @property
    def bare_key(self) -> str:
        """Its key without precision and conversion, which rows of tables have columns for."""
        return self.key.partition(_IN)[0]

    def in_precision(self, precision: str, *, converted: bool = False) -> LayerSpec:
        """The same layer with a precision of its own; see `converted`."""
        return replace(self, key=f"{self.bare_key}{_IN}{precision}{_CONVERTED if converted else ''}")

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions, linear maps and attention (squeeze-excite included; norms,
        activations, poolings and additions not), for one sample."""
        return sum(op.macs for op in self.ops)

    @cached_property
    def params(self) -> int:
        """Trainable parameters, batch norms included, running statistics not."""
        return sum(op.params for op in self.ops)

    @property
    def reads(self) -> dict[str, TensorSpec]:
        """Named values that it reads beside its input."""
        return {name: spec for op in self.ops for name, spec in op.reads.items()}

    @property
    def writes(self) -> dict[str, TensorSpec]:
        """Named values that it leaves for later layers."""
        return {name: spec for op in self.ops for name, spec in op.writes.items()}


Network = Sequence[tuple[str, LayerSpec]]
"""``(slot name, layer)`` in network order, as ``SearchSpace.network`` gives it.

Each layer takes what the one before it returns. What more it needs it reads by name: a value that an earlier layer
wrote, or an input of the network (``attention_mask``).
"""


def network_inputs(network: Network) -> dict[str, TensorSpec]:
    """What a network is fed: named values that no layer before their reader writes; the first layer's input is ``input``.

    Raises:
        SpaceError: layers do not fit together: an input that its predecessor's output is not, or a named value that is
            written as one thing and read as another.
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
