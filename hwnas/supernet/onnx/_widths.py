"""Finding the inner channels of a slot that can be reduced: those of neither its input nor its output.

Axes of values that must have the same length form a group: the output of a convolution or linear map, and all that norms,
activations, grouped convolutions, sums and gates make of it, until other convolutions or linear maps read it. A group that
reaches the slot's input or output, or an op that needs all channels (a shuffle), is fixed. The channels that a grouped
convolution mixes, or that a group norm normalises, stay together, so that what is kept of them does not change.

A join has the groups of its inputs side by side. Where a slice takes part of an output, or a sum adds a join to it, that
output is several groups from its beginning.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import TypeGuard

from hwnas.space.ops import (
    Activation,
    Add,
    Affine,
    BatchNorm,
    Concat,
    Conv,
    Flatten,
    GlobalPool,
    GroupNorm,
    LayerNorm,
    Linear,
    Mul,
    Op,
    Pad,
    Pool,
    Power,
    PRelu,
    Reshape,
    ResponseNorm,
    Shape,
    Slice,
    Transpose,
    Upsample,
)
from hwnas.supernet.onnx._group import Group, Place


@dataclass(frozen=True)
class _Axis:
    """The axis of a value along which groups lie.

    Attributes:
        groups: their numbers, in order.
        axis: without the batch axis.
        each: elements of this axis per channel, more than one behind a feature map that was flattened.
    """

    groups: tuple[int, ...]
    axis: int
    each: int = 1


class _CutError(Exception):
    """An output must be several groups from its beginning; the walk begins anew."""


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
    cuts: dict[int, set[int]] = defaultdict(set)
    while True:
        walk = _Walk(input_shape, cuts)
        try:
            for i, op in enumerate(ops):
                walk.step(i, op)
        except _CutError:
            continue
        walk.fix(walk.axes[-1])
        found = [g for n, g in enumerate(walk.groups) if walk.root(n) == n and not g.fixed and g.makers and g.readers]
        return [group for group in found if group.unit < group.size]


class _Walk:
    """Follows the channels through the ops.

    Args:
        input_shape: of the slot.
        cuts: where the outputs of ops must be cut into groups, by their positions; grows when a walk ends in a `_CutError`.
    """

    def __init__(self, input_shape: Shape, cuts: dict[int, set[int]]) -> None:
        self.cuts = cuts
        self.groups = [Group(input_shape[0], fixed=True)]
        self.parent = [0]
        self.axes = [_Axis((0,), 0)]

    def root(self, n: int) -> int:
        while self.parent[n] != n:
            n = self.parent[n]
        return n

    def of(self, at: _Axis) -> list[Group]:
        return [self.groups[self.root(n)] for n in at.groups]

    def starts(self, at: _Axis) -> list[int]:
        """The first channel of each group, and the number of all."""
        return list(accumulate((group.size for group in self.of(at)), initial=0))

    def places(self, i: int, at: _Axis) -> list[tuple[Group, Place]]:
        """The groups, and their places in an axis of op ``i``."""
        *starts, whole = self.starts(at)
        return [(group, Place(i, start, whole)) for group, start in zip(self.of(at), starts, strict=True)]

    def fix(self, at: _Axis) -> None:
        for group in self.of(at):
            group.fixed = True

    def new(self, size: int, axis: int, maker: int | None = None) -> _Axis:
        """New groups; fixed if they have no maker."""
        bounds = [0, *sorted(self.cuts[maker] if maker is not None else ()), size]
        numbers = []
        for start, stop in pairwise(bounds):
            makers = [] if maker is None else [Place(maker, start, size)]
            numbers.append(len(self.groups))
            self.parent.append(len(self.groups))
            self.groups.append(Group(stop - start, makers, fixed=maker is None))
        return _Axis(tuple(numbers), axis)

    def cut(self, at: _Axis, bound: int) -> bool:
        """Whether a group begins or ends at channel ``bound``; never inside a fixed one.

        Raises:
            _CutError: not in this walk, but in the next.
        """
        starts = self.starts(at)
        if bound in starts:
            return True
        n = bisect(starts, bound) - 1
        group = self.of(at)[n]
        if group.fixed:
            return False
        for maker in group.makers:
            self.cuts[maker.op].add(maker.start + bound - starts[n])
        raise _CutError

    def unite(self, a: _Axis, b: _Axis) -> _Axis:
        """The axis of the sum of two values."""
        bounds = sorted({*self.starts(a), *self.starts(b)})
        if not all(self.cut(axis, bound) for axis in (a, b) for bound in bounds):
            self.fix(a)
            self.fix(b)
            return a
        for pair in zip(a.groups, b.groups, strict=True):
            one, other = map(self.root, pair)
            if one != other:
                self.groups[one].absorb(self.groups[other])
                self.parent[other] = one
        return a

    def step(self, i: int, op: Op) -> None:
        """Follow the channels through op ``i``."""
        self.axes.append(self._after(i, op, [self.axes[x] for x in op.inputs]))

    def _after(self, i: int, op: Op, given: list[_Axis]) -> _Axis:
        x = given[0]
        if isinstance(op, (Conv, Linear)):
            return self._mapped(i, op, x)
        if isinstance(op, (Activation, GlobalPool, Pad, Pool, Power, Upsample)):
            return x
        if isinstance(op, ResponseNorm) and op.axis == x.axis:
            return x
        if isinstance(op, (Affine, BatchNorm, GroupNorm, LayerNorm, PRelu)):
            own = op.axis if isinstance(op, Affine) else len(op.shape) - 1 if isinstance(op, LayerNorm) else 0
            if own == x.axis and x.each == 1 and self._passed(i, x, together(op) if isinstance(op, GroupNorm) else 1):
                return x
        elif isinstance(op, (Add, Mul)) and (given[0].axis, given[0].each) == (given[1].axis, given[1].each):
            return self.unite(*given) if op.in_shapes[0][:1] == op.in_shapes[1][:1] else self._gated(*given)
        elif isinstance(op, Concat) and all((axis.axis, axis.each) == (op.axis, 1) for axis in given):
            return _Axis(tuple(n for axis in given for n in axis.groups), op.axis)
        elif isinstance(op, Slice):
            return self._sliced(i, op, x) if op.axis == x.axis else x
        elif isinstance(op, Transpose):
            return replace(x, axis=op.axes.index(x.axis))
        elif x.axis == 0 and x.each == 1 and (isinstance(op, Flatten) or (isinstance(op, Reshape) and column(op))):
            return replace(x, each=op.shape[0] // op.in_shape[0])
        for each in given:
            self.fix(each)
        return self.new(op.shape[0], 0)

    def _gated(self, x: _Axis, gate: _Axis) -> _Axis:
        """The axis of a feature map that is multiplied by a gate per pixel, which has one channel."""
        self.fix(gate)
        return x

    def _passed(self, i: int, x: _Axis, unit: int = 1) -> bool:
        """Whether an op with weights per channel lets the channels of an axis pass, ``unit`` of them together."""
        fits = all(group.size % unit == 0 for group in self.of(x))
        for group, place in self.places(i, x) if fits else ():
            group.passers.append(place)
            group.unit = math.lcm(group.unit, unit)
        return fits

    def _sliced(self, i: int, op: Slice, x: _Axis) -> _Axis:
        for bound in (op.start, op.stop):
            self.cut(x, bound)
        taken: list[int] = []
        for number, (group, place) in zip(x.groups, self.places(i, x), strict=True):
            group.slices.append(place)
            start, stop = max(place.start, op.start), min(place.start + group.size, op.stop)
            if stop - start == group.size:
                taken.append(number)
            elif start < stop:  # part of fixed channels
                taken += self.new(stop - start, x.axis).groups
        return replace(x, groups=tuple(taken))

    def _mapped(self, i: int, op: Conv | Linear, x: _Axis) -> _Axis:
        if is_grouped(op) and self._passed(i, x, together(op)):
            return x
        axis, grouped = (0, op.groups > 1) if isinstance(op, Conv) else (len(op.shape) - 1, False)
        if x.axis == axis and not grouped:
            for group, place in self.places(i, x):
                group.readers.append(place)
        else:  # its input is not followed along the axis that it maps
            self.fix(x)
        return self.new(op.shape[axis], axis, maker=None if grouped else i)
