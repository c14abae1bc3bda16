"""Rotary positions (Su et al. 2021, arXiv:2104.09864): queries and keys are turned by angles that grow with their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class Angles(Op):
    """Cosines or sines ``(tokens, size)`` of the angles at places ``(tokens,)``.

    Channels ``i`` and ``i + size / 2`` are turned together, by ``place * theta ** (-2 i / size)``; the sines of the first
    half are negative, so that ``x * cosines + halves_swapped(x) * sines`` is ``x`` turned.

    Attributes:
        size: channels of a head.
        theta: how slowly the last channels turn.
        function: which of the two.
    """

    size: int
    theta: float
    function: Literal["cos", "sin"]

    @property
    def shape(self) -> Shape:
        return (*self.in_shape, self.size)

    @property
    def frequencies(self) -> list[float]:
        """``(size,)`` by which a place is multiplied: negative for the first half, whose cosines are the same."""
        half = [self.theta ** (-2 * i / self.size) for i in range(self.size // 2)]
        return [*(-frequency for frequency in half), *half]


@dataclass(frozen=True)
class Rotary(Op):
    """``(heads, tokens, d)`` turned by cosines and sines ``(tokens, d)``, as `Angles` makes them."""

    @property
    def shape(self) -> Shape:
        return self.in_shape
