"""Ops that only move elements. Axes are counted without the batch axis."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class Flatten(Op):
    """All axes as one."""

    view = True

    @property
    def shape(self) -> Shape:
        return (prod(self.in_shape),)


@dataclass(frozen=True)
class Reshape(Op):
    """The same elements in the shape ``to``."""

    to: Shape

    view = True

    @property
    def shape(self) -> Shape:
        return self.to

    @property
    def fits(self) -> bool:
        return prod(self.to) == prod(self.in_shape)


@dataclass(frozen=True)
class Transpose(Op):
    """The input with its axes in the order ``axes``."""

    axes: tuple[int, ...]

    @property
    def shape(self) -> Shape:
        return tuple(self.in_shape[axis] for axis in self.axes)


@dataclass(frozen=True)
class Shuffle(Op):
    """Channel shuffle (Zhang et al. 2017, arXiv:1707.01083): the first axis as ``groups`` rows, read by columns."""

    groups: int


@dataclass(frozen=True)
class Concat(Op):
    """The inputs concatenated along ``axis``."""

    axis: int = 0

    @property
    def shape(self) -> Shape:
        joined = list(self.in_shape)
        joined[self.axis] = sum(shape[self.axis] for shape in self.in_shapes)
        return tuple(joined)


@dataclass(frozen=True)
class Slice(Op):
    """Elements ``start`` to ``stop`` (exclusive) of ``axis``."""

    axis: int
    start: int
    stop: int

    @property
    def shape(self) -> Shape:
        kept = list(self.in_shape)
        kept[self.axis] = self.stop - self.start
        return tuple(kept)

    @property
    def fits(self) -> bool:
        return self.stop <= self.in_shape[self.axis]


@dataclass(frozen=True)
class Take(Op):
    """Element ``index`` of ``axis``, without that axis: the class token of a sequence."""

    axis: int = 0
    index: int = 0

    @property
    def shape(self) -> Shape:
        return (*self.in_shape[: self.axis], *self.in_shape[self.axis + 1 :])

    @property
    def fits(self) -> bool:
        return self.index < self.in_shape[self.axis]
