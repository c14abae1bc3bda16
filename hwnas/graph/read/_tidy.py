"""Tidying of a network from a file: unread values are dropped, norms folded into convolutions, and scales into weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwnas.space.ops import Affine, BatchNorm, Conv, GroupNorm, LayerNorm, Linear, Op, Transpose

Weights = dict[str, NDArray[np.float32]]


class Draft:
    """Ops and weights, some of which will be dropped. Value ``i + 1`` is the result of op ``i``.

    Args:
        ops, weights: of a network.
        last: number of its result.
    """

    def __init__(self, ops: Sequence[Op], weights: Sequence[Weights], last: int) -> None:
        self.ops, self.weights, self.last = list(ops), [dict(each) for each in weights], last
        self._replaced_by: dict[int, int] = {}

    def uses(self) -> Counter[int]:
        """How often each value is read by ops whose own values are read."""
        uses = Counter([self._resolved(self.last)])
        for i in reversed(range(len(self.ops))):
            if uses[i + 1] and i + 1 not in self._replaced_by:
                uses.update(self.inputs(i))
        return uses

    def fold(self) -> None:
        """Fold batch norms into the convolutions before them, and scales and shifts into weights."""
        uses = self.uses()
        for i, op in enumerate(self.ops):
            if not isinstance(op, (Affine, BatchNorm)) or not uses[i + 1]:
                continue
            (x,) = self.inputs(i)
            before = self.ops[x - 1] if x and uses[x] == 1 else None
            if isinstance(op, BatchNorm) and isinstance(before, Conv) and not before.bn:
                self.ops[x - 1] = replace(before, bn=True)
                self.weights[x - 1] |= {f"bn.{part}": array for part, array in self.weights[i].items()}
                self._replaced_by[i + 1], uses[x] = x, uses[i + 1]
            elif isinstance(op, Affine) and self._scaled(x, op.axis, self.weights[i], uses):
                self._replaced_by[i + 1], uses[x] = x, uses[i + 1]

    def tidy(self) -> list[int]:
        """Renumber the inputs of the remaining ops, and return the ops' positions."""
        uses = self.uses()
        kept = [i for i in range(len(self.ops)) if uses[i + 1] and i + 1 not in self._replaced_by]
        number = {0: 0} | {i + 1: n for n, i in enumerate(kept, start=1)}
        for i in kept:
            self.ops[i] = replace(self.ops[i], inputs=tuple(number[x] for x in self.inputs(i)))
        return kept

    def inputs(self, i: int) -> tuple[int, ...]:
        """The values that op ``i`` reads."""
        return tuple(self._resolved(x) for x in self.ops[i].inputs)

    def _resolved(self, x: int) -> int:
        while x in self._replaced_by:
            x = self._replaced_by[x]
        return x

    def _scaled(self, x: int, axis: int, by: Weights, uses: Counter[int]) -> bool:
        """Scale and shift the op that computes value ``x``; returns False if that is impossible or others read the value."""
        while x and uses[x] == 1 and isinstance(op := self.ops[x - 1], Transpose):
            (x,), axis = self.inputs(x - 1), op.axes[axis]
        if not x or uses[x] != 1:
            return False
        op, own = self.ops[x - 1], self.weights[x - 1]
        last = isinstance(op, (LayerNorm, Linear))
        channels = len(op.shape) - 1 if last else op.axis if isinstance(op, Affine) else 0
        if not isinstance(op, (Affine, Conv, GroupNorm, LayerNorm, Linear)) or axis != channels:
            return False
        scale, shift = by["weight"], by["bias"]
        weight, bias = ("bn.weight", "bn.bias") if isinstance(op, Conv) and op.bn else ("weight", "bias")
        own[weight] = own[weight] * scale.reshape(-1, *[1] * (own[weight].ndim - 1))
        if bias in own:
            own[bias] = own[bias] * scale + shift
        elif np.any(shift):
            assert isinstance(op, (Conv, Linear))
            self.ops[x - 1], own[bias] = replace(op, bias=True), shift
        return True
