"""Sums and products, element by element."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.space.ops._op import Op


@dataclass(frozen=True)
class Add(Op):
    """``x + y`` of the same shape."""

    in_place = (0, 1)


@dataclass(frozen=True)
class Mul(Op):
    """``x * y``, where ``y`` may have height and width 1 (a gate per channel) or one channel (a gate per pixel)."""

    in_place = (0,)
