"""Rotary positions (Su et al. 2021, arXiv:2104.09864): queries and keys are rotated by angles proportional to their position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class Angles(Op):
    """Cosines or sines ``(tokens, size)`` of the angles at positions ``(tokens,)``.

    Channels ``i`` and ``i + size / 2`` are rotated together by ``position * theta ** (-2 i / size)``. The sines of the first half
    are negative, so that ``x * cosines + halves_swapped(x) * sines`` is ``x`` rotated.

    Attributes:
        size: channels of a head.
        theta: base of the frequencies; the last channels rotate most slowly.
        function: ``cos`` or ``sin``.
    """

    size: int
    theta: float
    function: Literal["cos", "sin"]

    @property
    def shape(self) -> Shape:
        return (*self.in_shape, self.size)

    @property
    def frequencies(self) -> list[float]:
        """``(size,)`` factors of the position, negative for the first half, which leaves its cosines unchanged."""
        half = [self.theta ** (-2 * i / self.size) for i in range(self.size // 2)]
        return [*(-frequency for frequency in half), *half]


@dataclass(frozen=True)
class Rotary(Op):
    """``(heads, tokens, d)`` rotated, given cosines and sines ``(tokens, d)`` from `Angles`."""
