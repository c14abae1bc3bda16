"""Finding the inner channels of a slot that can be reduced: those of neither its input nor its output.

Axes of values that must have the same length form a group: the output of a convolution or linear map, and all that norms,
activations, grouped convolutions, sums and gates make of it, until other convolutions or linear maps read it. A group that
reaches the slot's input or output, or an op that needs all channels (a split, a join), is fixed. The channels that a grouped
convolution mixes, or that a group norm normalises, stay together, so that what is kept of them does not change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from hwnas.space.ops import (
    Activation,
    Add,
    Affine,
    BatchNorm,
    Conv,
    Flatten,
    GlobalPool,
    GroupNorm,
    LayerNorm,
    Linear,
    Mul,
    Op,
    Pool,
    PRelu,
    Reshape,
    Shape,
    Transpose,
)


@dataclass
class Group:
    """Channels that are kept or dropped together.

    Attributes:
        size: number of channels.
        makers: positions of the convolutions and linear maps that output them.
        passers: positions of the ops in between that have weights per channel.
        readers: positions of the convolutions and linear maps that read them.
        fixed: whether all channels must be kept.
        unit: so many neighbouring channels are kept or dropped as one.
    """

    size: int
    makers: list[int] = field(default_factory=list)
    passers: list[int] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    fixed: bool = False
    unit: int = 1


@dataclass(frozen=True)
class _Axis:
    """The axis of a value along which a group lies.

    Attributes:
        group: its number.
        axis: without the batch axis.
        each: elements of this axis per channel, more than one behind a feature map that was flattened.
    """

    group: int
    axis: int
    each: int = 1


def is_depthwise(op: Op) -> bool:
    """Whether an op is a depthwise convolution."""
    return is_grouped(op) and together(op) == 1


def is_grouped(op: Op) -> TypeGuard[Conv]:
    """Whether an op convolves groups of channels separately, each to as many channels."""
    return isinstance(op, Conv) and op.groups > 1 and op.in_shape[0] == op.channels


def together(op: Conv | GroupNorm) -> int:
    """The number of neighbouring channels that an op mixes or normalises together."""
    return op.in_shape[0] // op.groups


def column(op: Reshape) -> bool:
    """Whether a reshape turns a vector into a feature map of height and width 1."""
    return len(op.in_shape) == 1 and op.to == (op.in_shape[0], *[1] * (len(op.to) - 1))


def groups(input_shape: Shape, ops: Sequence[Op]) -> list[Group]:
    """The groups of a slot that can be reduced. Ops are numbered within the slot."""
    walk = _Walk(input_shape)
    for i, op in enumerate(ops):
        walk.step(i, op)
    walk.fix(walk.axes[-1])
    found = [g for n, g in enumerate(walk.groups) if walk.root(n) == n and not g.fixed and g.makers and g.readers]
    return [group for group in found if group.unit < group.size]


class _Walk:
    def __init__(self, input_shape: Shape) -> None:
        self.groups = [Group(input_shape[0], fixed=True)]
        self.parent = [0]
        self.axes = [_Axis(0, 0)]

    def root(self, n: int) -> int:
        while self.parent[n] != n:
            n = self.parent[n]
        return n

    def of(self, at: _Axis) -> Group:
        return self.groups[self.root(at.group)]

    def fix(self, at: _Axis) -> None:
        self.of(at).fixed = True

    def new(self, size: int, axis: int, maker: int | None = None) -> _Axis:
        """A new group; fixed if it has no maker."""
        self.groups.append(Group(size, [] if maker is None else [maker], fixed=maker is None))
        self.parent.append(len(self.groups) - 1)
        return _Axis(len(self.groups) - 1, axis)

    def unite(self, a: _Axis, b: _Axis) -> _Axis:
        one, other = self.root(a.group), self.root(b.group)
        if one != other:
            kept, gone = self.groups[one], self.groups[other]
            kept.makers += gone.makers
            kept.passers += gone.passers
            kept.readers += gone.readers
            kept.fixed |= gone.fixed or kept.size != gone.size
            kept.unit = math.lcm(kept.unit, gone.unit)
            self.parent[other] = one
        return a

    def step(self, i: int, op: Op) -> None:
        """Follow the channels through op ``i``."""
        self.axes.append(self._after(i, op, [self.axes[x] for x in op.inputs]))

    def _after(self, i: int, op: Op, given: list[_Axis]) -> _Axis:
        x = given[0]
        if isinstance(op, (Conv, Linear)):
            return self._mapped(i, op, x)
        if isinstance(op, (Activation, Pool, GlobalPool)):
            return x
        if isinstance(op, (Affine, BatchNorm, GroupNorm, LayerNorm, PRelu)):
            own = op.axis if isinstance(op, Affine) else len(op.shape) - 1 if isinstance(op, LayerNorm) else 0
            if own == x.axis and x.each == 1:
                group = self.of(x)
                group.passers.append(i)
                if isinstance(op, GroupNorm):
                    group.unit = math.lcm(group.unit, together(op))
                return x
        elif isinstance(op, (Add, Mul)) and (given[0].axis, given[0].each) == (given[1].axis, given[1].each):
            return self.unite(*given)
        elif isinstance(op, Transpose):
            return _Axis(x.group, op.axes.index(x.axis))
        elif x.axis == 0 and x.each == 1 and (isinstance(op, Flatten) or (isinstance(op, Reshape) and column(op))):
            return replace(x, each=op.shape[0] // op.in_shape[0])
        for each in given:
            self.fix(each)
        return self.new(op.shape[0], 0)

    def _mapped(self, i: int, op: Conv | Linear, x: _Axis) -> _Axis:
        if is_grouped(op):
            group = self.of(x)
            group.passers.append(i)
            group.unit = math.lcm(group.unit, together(op))
            return x
        axis = 0 if isinstance(op, Conv) else len(op.shape) - 1
        if x.axis != axis or (isinstance(op, Conv) and op.groups > 1):
            self.fix(x)
            return self.new(op.shape[axis], axis)
        self.of(x).readers.append(i)
        return self.new(op.shape[axis], axis, maker=i)
