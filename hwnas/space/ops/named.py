"""Named values, which a layer reads besides its input, or writes for later layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwnas.space.ops._op import Op, Shape, TensorSpec


@dataclass(frozen=True)
class Read(Op):
    """The value named ``value``, which an earlier layer wrote, or else an input of the network."""

    value: str
    spec: TensorSpec

    @property
    def shape(self) -> Shape:
        return self.spec.shape

    @property
    def reads(self) -> Mapping[str, TensorSpec]:
        return {self.value: self.spec}


@dataclass(frozen=True)
class Write(Op):
    """Its input, kept under the name ``value`` for later layers.

    Attributes:
        value: the name.
        output: whether it is also an output of the network, besides that of the last layer.
        axes: of an output; see `TensorSpec`.
    """

    value: str
    output: bool = False
    axes: tuple[str, ...] = ()

    view = True

    @property
    def writes(self) -> Mapping[str, TensorSpec]:
        return {self.value: TensorSpec(self.in_shape, axes=self.axes)}
