"""The layers of published supernets, as LayerSpecs.

Keys have the form ``kind-i<H>x<W>x<C>-o<H>x<W>x<C>-...`` and contain everything that latency depends on.
"""

from __future__ import annotations

from functools import lru_cache

from hwnas.space._layer import LayerSpec
from hwnas.space._oplist import OpList
from hwnas.space.ops import Function, Shape


def round_channels(channels: float) -> int:
    """Nearest multiple of 8, at least 8, raised if more than 10 % was lost (OFA's rule)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _key(kind: str, ops: OpList, input_shape: Shape, *details: str) -> str:
    return "-".join([kind, f"i{_shape(input_shape)}", f"o{_shape(ops.ops[-1].shape)}", *details])


def _shape(shape: Shape) -> str:
    return f"{shape[1]}x{shape[2]}x{shape[0]}" if len(shape) == 3 else str(shape[0])


@lru_cache(maxsize=65536)
def conv(
    input_shape: Shape,
    channels: int,
    kernel: int,
    stride: int = 1,
    act: Function | None = "relu",
    *,
    bn: bool = True,
    residual: bool = False,
) -> LayerSpec:
    """Convolution, batch norm and activation; with ``residual`` the input is added to the result."""
    ops = OpList(input_shape)
    x = ops.conv("conv", 0, channels, kernel, stride, bn=bn, act=act)
    if residual:
        ops.add("residual", x, 0)
    details = (f"k{kernel}", f"s{stride}", act or "linear", f"bn{int(bn)}", f"skip{int(residual)}")
    key = _key("conv", ops, input_shape, *details)
    return ops.layer(key)


@lru_cache(maxsize=65536)
def mbconv(
    input_shape: Shape, channels: int, mid: int, kernel: int, stride: int, act: Function, *, se: bool, skip: bool
) -> LayerSpec:
    """Inverted residual (MobileNetV2/V3): expand, depthwise, squeeze-excite, project, skip.

    ``mid`` equal to the input channels means expansion 1, which has no expanding convolution.
    The squeeze-excite bottleneck has ``round_channels(mid // 4)`` channels.
    """
    ops = OpList(input_shape)
    x = 0
    if mid != input_shape[0]:
        x = ops.conv("expand", x, mid, act=act)
    x = ops.conv("depthwise", x, mid, kernel, stride, groups=mid, act=act)
    if se:
        gate = ops.global_pool("se.pool", x)
        gate = ops.conv("se.reduce", gate, round_channels(mid // 4), bias=True, bn=False, act="relu")
        gate = ops.conv("se.expand", gate, mid, bias=True, bn=False, act="hsigmoid")
        x = ops.mul("se.scale", x, gate)
    x = ops.conv("project", x, channels)
    if skip:
        ops.add("residual", x, 0)
    details = (f"m{mid}", f"k{kernel}", f"s{stride}", act, f"se{int(se)}", f"skip{int(skip)}")
    return ops.layer(_key("mbconv", ops, input_shape, *details))


@lru_cache(maxsize=65536)
def bottleneck(input_shape: Shape, channels: int, mid: int, stride: int, *, downsample: bool) -> LayerSpec:
    """ResNet-D bottleneck: 1x1, 3x3, 1x1; the shortcut is average-pooled and projected if ``downsample``."""
    ops = OpList(input_shape)
    x = ops.conv("conv1", 0, mid, act="relu")
    x = ops.conv("conv2", x, mid, 3, stride, act="relu")
    x = ops.conv("conv3", x, channels)
    shortcut = 0
    if downsample:
        if stride > 1:
            shortcut = ops.avg_pool("downsample.pool", shortcut, stride, stride)
        shortcut = ops.conv("downsample", shortcut, channels)
    ops.act("residual.relu", ops.add("residual", x, shortcut), "relu")
    key = _key("bottleneck", ops, input_shape, f"m{mid}", f"s{stride}", f"down{int(downsample)}")
    return ops.layer(key)


@lru_cache(maxsize=1024)
def max_pool(input_shape: Shape, kernel: int, stride: int) -> LayerSpec:
    ops = OpList(input_shape)
    ops.max_pool("pool", 0, kernel, stride)
    return ops.layer(_key("maxpool", ops, input_shape, f"k{kernel}", f"s{stride}"))


@lru_cache(maxsize=1024)
def global_pool(input_shape: Shape) -> LayerSpec:
    ops = OpList(input_shape)
    ops.global_pool("pool", 0)
    return ops.layer(_key("globalpool", ops, input_shape))


@lru_cache(maxsize=1024)
def classifier(input_shape: Shape, classes: int) -> LayerSpec:
    """Global pool (if the input has an area), flatten, and a linear map to logits."""
    ops = OpList(input_shape)
    x = 0 if input_shape[1:] == (1, 1) else ops.global_pool("pool", 0)
    ops.linear("linear", ops.flatten("flatten", x), classes)
    return ops.layer(_key("classifier", ops, input_shape))
