"""Embeddings of integers, and learned vectors for positions of a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class Embedding(Op):
    """A row of a table ``(entries, channels)`` for each integer.

    Attributes:
        entries, channels: of the table.
        tied: whether a `TiedLinear` uses the same table.
    """

    entries: int
    channels: int
    tied: bool = False

    @property
    def shape(self) -> Shape:
        return (*self.in_shape, self.channels)

    @property
    def weights(self) -> Mapping[str, Shape]:
        return {"weight": (self.entries, self.channels)}


@dataclass(frozen=True)
class SharedRow(Op):
    """Maps each integer less than ``entries`` to one of ``rows`` rows of a smaller table, which several integers may share.

    The buffer ``row`` holds the map. Like all tensors it is real; whole numbers below 2**24 are exact.
    """

    entries: int
    rows: int

    @property
    def buffers(self) -> Mapping[str, Shape]:
        return {"row": (self.entries,)}


@dataclass(frozen=True)
class Positions(Op):
    """Adds a learned vector to each token of ``(tokens, channels)``: the first rows of a table ``(entries, channels)``.

    The table has one row for each token of the longest sequence, so its shape does not depend on the length of the input.
    """

    entries: int

    in_place = (0,)

    @property
    def weights(self) -> Mapping[str, Shape]:
        return {"weight": (self.entries, self.in_shape[1])}


@dataclass(frozen=True)
class GridPositions(Op):
    """Adds a learned vector to each token of ``(leading + s * s, channels)``: leading tokens, then a square grid of patches.

    The table ``(leading + side * side, channels)`` has the largest grid. For a smaller one its grid is resized by cubic
    interpolation, as in fine-tuning vision transformers at other resolutions (Dosovitskiy et al. 2021, arXiv:2010.11929).
    Exported files hold the resized table.
    """

    leading: int
    side: int

    in_place = (0,)

    @property
    def grid(self) -> int:
        """Number of patches along each side of the input's grid."""
        return isqrt(self.in_shape[0] - self.leading)

    @property
    def weights(self) -> Mapping[str, Shape]:
        return {"weight": (self.leading + self.side**2, self.in_shape[1])}


@dataclass(frozen=True)
class ClassToken(Op):
    """Puts one learned token before those of ``(tokens, channels)``."""

    @property
    def shape(self) -> Shape:
        return (self.in_shape[0] + 1, self.in_shape[1])

    @property
    def weights(self) -> Mapping[str, Shape]:
        return {"weight": (1, self.in_shape[1])}
