"""Activations, sums and products, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwnas.space.ops._op import Op, Shape

Function = Literal["relu", "relu6", "hswish", "hsigmoid", "sigmoid", "silu", "tanh", "gelu", "gelu_tanh"]
"""``hsigmoid`` is ``relu6(x + 3) / 6``; ``gelu`` is the exact one by the error function, ``gelu_tanh`` its approximation."""


@dataclass(frozen=True)
class Activation(Op):
    """``function`` of every element."""

    function: Function

    in_place = (0,)

    @property
    def shape(self) -> Shape:
        return self.in_shape


@dataclass(frozen=True)
class Add(Op):
    """``x + y`` of one shape."""

    in_place = (0, 1)

    @property
    def shape(self) -> Shape:
        return self.in_shape


@dataclass(frozen=True)
class Mul(Op):
    """``x * y``, where ``y`` may have height and width 1 (a channel gate)."""

    in_place = (0,)

    @property
    def shape(self) -> Shape:
        return self.in_shape
