"""Feature maps made larger: at their edges, or as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwnas.space.ops._op import Op, Shape
from hwnas.space.ops.convolution import Pads, Pair

Border = Literal["reflect", "edge"]

Interpolation = Literal["nearest", "linear", "aligned"]


@dataclass(frozen=True)
class Pad(Op):
    """Rows and columns around a feature map that mirror it (``reflect``) or repeat its outermost (``edge``).

    Zeros around the input of a convolution or a pool are settings of it.
    """

    pads: Pads
    mode: Border = "reflect"

    @property
    def shape(self) -> Shape:
        channels, height, width = self.in_shape
        top, left, bottom, right = self.pads
        return (channels, height + top + bottom, width + left + right)

    @property
    def fits(self) -> bool:
        """Mirrored are rows and columns inside the map, without the outermost."""
        sizes = self.in_shape[1:] * 2
        return self.mode == "edge" or all(pad < size for pad, size in zip(self.pads, sizes, strict=True))


@dataclass(frozen=True)
class Upsample(Op):
    """A feature map whose height and width are multiplied by whole numbers.

    Attributes:
        factor: of height and width.
        mode: ``nearest`` repeats pixels; ``linear`` interpolates between the centres of pixels, ``aligned`` so that the corners
            of both maps are the same pixels.
    """

    factor: Pair
    mode: Interpolation = "nearest"

    @property
    def shape(self) -> Shape:
        channels, *sizes = self.in_shape
        height, width = (size * factor for size, factor in zip(sizes, self.factor, strict=True))
        return (channels, height, width)
