"""From integers to vectors, and vectors that stand at fixed places of a sequence."""

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
        tied: whether a `TiedLinear` reads it too.
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
    """For each integer less than ``entries`` the row of a table that it shares with others, of ``rows``.

    Its buffer ``row`` says which: whole numbers, kept as real ones like all tensors (they are exact below 2 to the 24th).
    """

    entries: int
    rows: int

    @property
    def shape(self) -> Shape:
        return self.in_shape

    @property
    def buffers(self) -> Mapping[str, Shape]:
        return {"row": (self.entries,)}


@dataclass(frozen=True)
class Positions(Op):
    """Adds a learned vector to each token of ``(tokens, channels)``: the first ones of a table ``(entries, channels)``.

    The table has as many rows as the longest sequence has tokens, so its shape does not depend on the length of this
    one.
    """

    entries: int

    in_place = (0,)

    @property
    def shape(self) -> Shape:
        return self.in_shape

    @property
    def weights(self) -> Mapping[str, Shape]:
        return {"weight": (self.entries, self.in_shape[1])}


@dataclass(frozen=True)
class GridPositions(Op):
    """Adds a learned vector to each token of ``(leading + s * s, channels)``: some tokens, then a square grid of patches.

    The table ``(leading + side * side, channels)`` is of the largest grid; for a smaller one its grid is resized by cubic
    interpolation, as vision transformers are fine-tuned at other resolutions (Dosovitskiy et al. 2021, arXiv:2010.11929).
    Exported files hold the resized table.
    """

    leading: int
    side: int

    in_place = (0,)

    @property
    def shape(self) -> Shape:
        return self.in_shape

    @property
    def grid(self) -> int:
        """Patches along each side of this input."""
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
