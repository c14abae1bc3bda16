"""Linear maps over the last axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class Linear(Op):
    """``x @ weight.T + bias`` over the last axis of ``(features,)`` or ``(tokens, channels)``.

    Attributes:
        features: of its output.
        bias: whether it has a bias.
        causal: whether the output of a token must not depend on other tokens, not even through the scales of a quantised input.
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
    """``x @ table.T``: logits of tokens, with the table ``(entries, channels)`` of an `Embedding`.

    Attributes:
        entries: rows of the table.
        table: the embedding: ``<slot>/<op>``.
    """

    entries: int
    table: str

    @property
    def shape(self) -> Shape:
        return (*self.in_shape[:-1], self.entries)

    @property
    def macs(self) -> int:
        return prod(self.in_shape) * self.entries
