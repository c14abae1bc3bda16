"""Linear maps over the last axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class Linear(Op):
    """``x @ weight.T + bias`` over the last axis: of ``(features,)``, or of every token of ``(tokens, channels)``.

    Attributes:
        features: of its output.
        bias: whether there is one.
        causal: whether what it makes of a token must not depend on other tokens in the least, in no precision: texts are written on.
    """

    features: int
    bias: bool = True
    causal: bool = False

    @property
    def shape(self) -> Shape:
        return (*self.in_shape[:-1], self.features)

    @property
    def macs(self) -> int:
        return prod(self.in_shape) * self.features

    @property
    def weights(self) -> Mapping[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (self.features, self.in_shape[-1])}
        return shapes | ({"bias": (self.features,)} if self.bias else {})


@dataclass(frozen=True)
class TiedLinear(Op):
    """``x @ table.T``: logits of tokens, by the table ``(entries, channels)`` that an `Embedding` elsewhere looks them up in.

    Attributes:
        entries: rows of the table.
        table: the op that has it: ``<slot>/<op>``.
    """

    entries: int
    table: str

    @property
    def shape(self) -> Shape:
        return (*self.in_shape[:-1], self.entries)

    @property
    def macs(self) -> int:
        return prod(self.in_shape) * self.entries
