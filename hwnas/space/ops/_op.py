"""Op: one primitive operation of a layer, with its shapes, MACs, weights and buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Literal

Shape = tuple[int, ...]
"""Shape of a value without its batch axis: ``(channels, height, width)``, ``(tokens, channels)`` or ``(features,)``."""

Element = Literal["float32", "int64"]

LENGTH, PAST = "length", "past"
"""Names of open axes: tokens of a run, and tokens before it."""

TOTAL = f"{PAST} + {LENGTH}"


@dataclass(frozen=True)
class TensorSpec:
    """Shape and type of a named value: an input of the network, or a value that a layer writes for later ones.

    Attributes:
        shape: without the batch axis.
        element: type of its elements.
        below: exclusive upper bound of integers (the size of a vocabulary, 2 for a mask), for random inputs.
        axes: for each axis its name if its size may differ in every run (`LENGTH`), else ``""``; ``()`` if all sizes are fixed.
    """

    shape: Shape
    element: Element = "float32"
    below: int | None = None
    axes: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each open axis, by name."""
        return {name: size for name, size in zip(self.axes, self.shape, strict=False) if name}

    def sized(self, sizes: Mapping[str, int]) -> TensorSpec:
        """The same with other sizes of open axes; `TOTAL` is the sum of `LENGTH` and `PAST`."""
        known = {**sizes, TOTAL: sizes.get(PAST, 0) + sizes.get(LENGTH, 0)}
        axes = [*self.axes, *[""] * (len(self.shape) - len(self.axes))]
        shape = tuple(known.get(name, size) for name, size in zip(axes, self.shape, strict=True))
        return replace(self, shape=shape)


@dataclass(frozen=True)
class Op:
    """One primitive operation. A subclass has the settings of its kind, and derives all else from them and the input shapes.

    Other packages register functions for the class: ``hwnas.graph.to_onnx`` writes its nodes, and ``hwnas.supernet.run`` computes
    it in torch. Plug-ins register their own classes in the same way.

    Attributes:
        name: its role in the layer (``"expand"``, ``"query"``), which identifies its weights.
        inputs: numbers of the values it reads: 0 is the layer's input, ``i`` the output of the layer's i-th op (from 1).
        in_shapes: their shapes.
    """

    name: str
    inputs: tuple[int, ...]
    in_shapes: tuple[Shape, ...]

    in_place: ClassVar[tuple[int, ...]] = ()
    """Positions of the inputs that runtimes overwrite with the result, if nothing else reads them."""

    view: ClassVar[bool] = False
    """Whether the result uses the memory of the input."""

    accumulates: ClassVar[bool] = False
    """Whether runtimes write the result into the buffer of a value that it is added to."""

    @property
    def shape(self) -> Shape:
        """Shape of its output: that of its first input, unless overridden."""
        return self.in_shape

    @property
    def in_shape(self) -> Shape:
        """Shape of its first input."""
        return self.in_shapes[0]

    @property
    def fits(self) -> bool:
        """Whether its inputs are large enough for its settings."""
        return min(self.shape, default=1) > 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and matrix products for one sample; 0 for other ops."""
        return 0

    @property
    def weights(self) -> Mapping[str, Shape]:
        """Shapes of trainable tensors, by name: ``{"weight": (out, in, k, k), "bias": (out,)}``."""
        return {}

    @property
    def buffers(self) -> Mapping[str, Shape]:
        """Shapes of tensors that are not trained: running statistics, and constants."""
        return {}

    @property
    def params(self) -> int:
        """Number of trainable parameters."""
        return sum(prod(shape) for shape in self.weights.values())

    @property
    def workspace(self) -> int:
        """Number of temporary elements while it runs, besides its inputs and its output."""
        return 0

    @property
    def reads(self) -> Mapping[str, TensorSpec]:
        """Named values of the network that it reads."""
        return {}

    @property
    def writes(self) -> Mapping[str, TensorSpec]:
        """Named values that it writes for later layers."""
        return {}
