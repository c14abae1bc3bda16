"""`Group`: inner channels that are kept or dropped together, and where they lie in weights."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

WIDTHS = (0.5, 0.75, 1.0)
"""Shares of the inner channels."""


class Place(NamedTuple):
    """Where channels lie in an axis of an op, which may hold those of several groups.

    Attributes:
        op: its position in the slot.
        start: the first of them.
        whole: number of channels of that axis.
    """

    op: int
    start: int
    whole: int


@dataclass
class Group:
    """Channels that are kept or dropped together.

    Attributes:
        size: number of channels.
        makers: in the outputs of convolutions and linear maps.
        passers: in the ops in between that have weights per channel.
        readers: in the inputs of convolutions and linear maps.
        slices: in the inputs of slices.
        fixed: whether all channels must be kept.
        unit: so many neighbouring channels are kept or dropped as one.
    """

    size: int
    makers: list[Place] = field(default_factory=list)
    passers: list[Place] = field(default_factory=list)
    readers: list[Place] = field(default_factory=list)
    slices: list[Place] = field(default_factory=list)
    fixed: bool = False
    unit: int = 1

    def kept(self, width: float) -> int:
        """``width`` of the channels, rounded to whole units, and to whole SIMD vectors if there are enough."""
        vectors = math.lcm(self.unit, 8 if self.size >= 64 else 4)
        unit = vectors if 4 * vectors <= self.size else self.unit
        return self.size if width == 1 else max(unit, int(self.size * width / unit + 0.5) * unit)

    def absorb(self, other: Group) -> None:
        """Take in another group, whose channels are kept and dropped with these."""
        self.makers += other.makers
        self.passers += other.passers
        self.readers += other.readers
        self.slices += other.slices
        self.fixed |= other.fixed
        self.unit = math.lcm(self.unit, other.unit)


class Parts:
    """Groups side by side in an axis of a weight, perhaps with fixed channels between them.

    Args:
        places: of the groups, all in one axis.
    """

    def __init__(self, places: Iterable[tuple[Place, Group]]) -> None:
        self._places = sorted(places, key=lambda found: found[0])
        self.whole = self._places[0][0].whole

    def spans(self, kept: int) -> list[tuple[int, int]]:
        """First and last channel (exclusive) of each stretch that is kept, if ``kept`` channels are."""
        for width in WIDTHS:
            starts = [0, *(place.start + group.size for place, group in self._places)]
            stops = [*(place.start + group.kept(width) for place, group in self._places), self.whole]
            if sum(stops) - sum(starts) == kept:
                return list(zip(starts, stops, strict=True))
        raise AssertionError(f"no width keeps {kept} of {self.whole} channels")
