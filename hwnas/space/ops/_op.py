"""Op: one primitive operation of a layer, and what every op knows of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Literal

Shape = tuple[int, ...]
"""Shape of a value without its batch axis: ``(channels, height, width)``, ``(tokens, channels)`` or ``(features,)``."""

Element = Literal["float32", "int64"]

LENGTH, PAST = "length", "past"
"""Names of open axes: tokens of a run, and those that were before it."""

TOTAL = f"{PAST} + {LENGTH}"


@dataclass(frozen=True)
class TensorSpec:
    """What a named value is: an input of a network, or what a layer leaves for later ones.

    Attributes:
        shape: without the batch axis.
        element: type of its elements.
        below: what integers are less than (the size of a vocabulary, 2 for a mask); feeds for timing are drawn below it.
        axes: names of the axes that may be of another size in every run (`LENGTH`), empty for the others; ``()`` if none may.
    """

    shape: Shape
    element: Element = "float32"
    below: int | None = None
    axes: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each open axis, by its name."""
        return {name: size for name, size in zip(self.axes, self.shape, strict=False) if name}

    def sized(self, sizes: Mapping[str, int]) -> TensorSpec:
        """The same with other sizes of open axes; of both `LENGTH` and `PAST` follows what is `TOTAL`."""
        known = {**sizes, TOTAL: sizes.get(PAST, 0) + sizes.get(LENGTH, 0)}
        axes = [*self.axes, *[""] * (len(self.shape) - len(self.axes))]
        shape = tuple(known.get(name, size) for name, size in zip(axes, self.shape, strict=True))
        return replace(self, shape=shape)


@dataclass(frozen=True)
class Op(ABC):
    """One primitive operation; a subclass per kind states its settings and, from the input shapes, all the rest.

    What others do with it is registered in their rooms, for the class: ``hwnas.graph.to_onnx`` writes its nodes,
    ``hwnas.supernet.run`` computes it in torch. A plug-in registers a class of its own in the same way.

    Attributes:
        name: its role within the layer (``"expand"``, ``"query"``); weights are found by it.
        inputs: values it reads: 0 is the layer's input, ``i`` the output of the layer's i-th op (from 1).
        in_shapes: their shapes.
    """

    name: str
    inputs: tuple[int, ...]
    in_shapes: tuple[Shape, ...]

    in_place: ClassVar[tuple[int, ...]] = ()
    """Positions of the inputs that runtimes write its result over, if nothing else reads them."""

    view: ClassVar[bool] = False
    """Whether its result is its input's memory, read in another way."""

    accumulates: ClassVar[bool] = False
    """Whether runtimes write its result onto what it is added to."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Shape of its output."""

    @property
    def in_shape(self) -> Shape:
        """Shape of its first input."""
        return self.in_shapes[0]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and matrix products, for one sample; 0 for anything else."""
        return 0

    @property
    def weights(self) -> Mapping[str, Shape]:
        """Shapes of what is trained, by name: ``{"weight": (out, in, k, k), "bias": (out,)}``."""
        return {}

    @property
    def buffers(self) -> Mapping[str, Shape]:
        """Shapes of what is kept but not trained: running statistics, whose names begin so, and what is fixed."""
        return {}

    @property
    def params(self) -> int:
        """Number of trainable parameters."""
        return sum(prod(shape) for shape in self.weights.values())

    @property
    def workspace(self) -> int:
        """Elements that it needs while it runs, beside its inputs and its output."""
        return 0

    @property
    def reads(self) -> Mapping[str, TensorSpec]:
        """Named values of the network that it reads."""
        return {}

    @property
    def writes(self) -> Mapping[str, TensorSpec]:
        """Named values that it leaves for later layers."""
        return {}
