"""Pooling: windows of feature maps, whole feature maps, channels, tokens."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.space.ops._op import Op, Shape
from hwnas.space.ops.convolution import Pads, Pair, window_span


@dataclass(frozen=True)
class Pool(Op):
    """Base of poolings over windows.

    Attributes:
        kernel, stride: of the window, along height and width.
        pads: padding around the input, whose elements are ignored.
        ceil: whether a last window that exceeds the edge counts too.
    """

    kernel: Pair
    stride: Pair
    pads: Pads = (0, 0, 0, 0)
    ceil: bool = False

    @property
    def shape(self) -> Shape:
        channels, *sizes = self.in_shape
        height, width = (self._windows(axis, size) for axis, size in enumerate(sizes))
        return (channels, height, width)

    def _windows(self, axis: int, size: int) -> int:
        before, after = self.pads[axis], self.pads[axis + 2]
        span, stride = window_span(size, self.kernel[axis], before + after), self.stride[axis]
        if not self.ceil:
            return span // stride + 1
        windows = -(-span // stride) + 1
        return windows - 1 if (windows - 1) * stride >= size + before else windows  # the last one must start inside


@dataclass(frozen=True)
class MaxPool(Pool):
    """Largest element of each window."""


@dataclass(frozen=True)
class AvgPool(Pool):
    """Mean of each window's elements inside the feature map."""


@dataclass(frozen=True)
class PaddedAvgPool(Pool):
    """Mean of each window's elements, where those around the feature map are zeros."""


@dataclass(frozen=True)
class GlobalPool(Op):
    """Mean over height and width, which remain as axes of length 1."""

    @property
    def shape(self) -> Shape:
        return (self.in_shape[0], *[1] * (len(self.in_shape) - 1))


@dataclass(frozen=True)
class GlobalMaxPool(GlobalPool):
    """Largest element over height and width."""


@dataclass(frozen=True)
class ChannelMean(Op):
    """Mean over the channels of a feature map, which remain as one."""

    @property
    def shape(self) -> Shape:
        return (1, *self.in_shape[1:])


@dataclass(frozen=True)
class ChannelMax(ChannelMean):
    """Largest element over the channels."""


@dataclass(frozen=True)
class MeanTokens(Op):
    """Mean over the tokens of ``(tokens, channels)``, or over those where a second input, a mask ``(tokens,)``, is 1."""

    @property
    def shape(self) -> Shape:
        return self.in_shape[1:]
