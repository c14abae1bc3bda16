"""Convolutions over height and width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwnas.space.ops._op import Op, Shape

Pair = tuple[int, int]
"""Values along height and width."""

Pads = tuple[int, int, int, int]
"""Padding in ONNX's order: top, left, bottom, right."""


def half_padding(kernel: Pair, dilation: Pair = (1, 1)) -> Pads:
    """The padding that keeps the size of a feature map at stride 1: half an (odd) kernel on each side."""
    height, width = (d * (k // 2) for k, d in zip(kernel, dilation, strict=True))
    return (height, width, height, width)


def window_span(size: int, kernel: int, pads: int, dilation: int = 1) -> int:
    """Number of steps that a window can move along an axis of a padded feature map."""
    return size + pads - dilation * (kernel - 1) - 1


@dataclass(frozen=True)
class Conv(Op):
    """Convolution of ``(in, height, width)``, optionally with a bias or a batch norm.

    MACs count the convolution only. The batch norm is folded into the weights on export.

    Attributes:
        channels: of the output.
        kernel, stride, dilation: along height and width.
        pads: zeros around the input.
        groups: of channels that are convolved separately.
        bias, bn: whether it has a bias, a batch norm.
    """

    channels: int
    kernel: Pair
    stride: Pair
    pads: Pads
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = False
    bn: bool = False

    accumulates = True

    @property
    def shape(self) -> Shape:
        _, *sizes = self.in_shape
        height, width = (
            window_span(size, kernel, self.pads[axis] + self.pads[axis + 2], dilation) // stride + 1
            for axis, (size, kernel, stride, dilation) in enumerate(
                zip(sizes, self.kernel, self.stride, self.dilation, strict=True)
            )
        )
        return (self.channels, height, width)

    @property
    def macs(self) -> int:
        channels, height, width = self.shape
        return channels * height * width * (self.in_shape[0] // self.groups) * self.kernel[0] * self.kernel[1]

    @property
    def weights(self) -> Mapping[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (self.channels, self.in_shape[0] // self.groups, *self.kernel)}
        if self.bias:
            shapes["bias"] = (self.channels,)
        return shapes | dict.fromkeys(("bn.weight", "bn.bias") if self.bn else (), (self.channels,))

    @property
    def buffers(self) -> Mapping[str, Shape]:
        return dict.fromkeys(("bn.running_mean", "bn.running_var") if self.bn else (), (self.channels,))
