"""Convolutions, and the padding before them."""

from __future__ import annotations

from typing import get_args

import numpy as np

from hwnas.graph.read._reading import Constant, Padded, Reading, Value, reads
from hwnas.space import Shape
from hwnas.space.ops import Border, Conv, Pad, Pads, Pair, Reshape


@reads("Conv")
def _conv(at: Reading) -> int:
    weight = at.constant(1, "weight")
    if weight.ndim == 3:
        return _row(at, weight)
    if weight.ndim != 4:
        raise at.error(f"its weight has {weight.ndim - 2} spatial axes, and images have 2")
    x, around = unpadded(at)
    if around is not None and around.around:
        raise at.error(f"its input is padded with {around.around:g}, and hwnas reads only zeros", "pad with zeros")
    return _convolved(at, x, weight, (0, 0, 0, 0) if around is None else around.pads)


def _row(at: Reading, weight: Constant) -> int:
    """A convolution along one axis is one over maps of a single row, such as that of channels in efficient channel attention."""
    given = at.attributes
    given |= {key: [1, *given[key]] for key in ("kernel_shape", "strides", "dilations") if key in given}
    if "pads" in given:
        before, after = given["pads"]
        given["pads"] = [0, before, 0, after]
    channels, size = at.shape()
    y = _convolved(at, at.add(Reshape, at.value(), to=(channels, 1, size)), weight[:, :, None])
    return at.add(Reshape, y, to=at.list.shape(y)[::2])


def _convolved(at: Reading, x: int, weight: Constant, around: Pads = (0, 0, 0, 0)) -> int:
    """The convolution of a feature map with so many zeros around it, besides its own padding."""
    weights = {"weight": weight}
    if at.has(2):
        weights["bias"] = at.constant(2, "bias")
    height, width = weight.shape[2:]
    kernel, stride, dilation = (height, width), pair(at, "strides"), pair(at, "dilations")
    own = padding(at, at.list.shape(x), kernel, stride, dilation)
    top, left, bottom, right = (a + b for a, b in zip(own, around, strict=True))
    groups = at.attributes.get("group", 1)
    if weight.shape[1] * groups != at.list.channels(x):
        rule = f"its weight is for {weight.shape[1] * groups} channels and it gets {at.list.channels(x)}"
        raise at.error(rule, "export the network again")
    return at.add(
        Conv,
        x,
        weights=weights,
        channels=weight.shape[0],
        kernel=kernel,
        stride=stride,
        pads=(top, left, bottom, right),
        dilation=dilation,
        groups=groups,
        bias="bias" in weights,
    )


@reads("Pad")
def _pad(at: Reading) -> Value:
    """A number around a feature map becomes the padding of the convolutions and pools that read it; a mirrored edge is an op."""
    pads = at.setting(1, "pads")
    value = at.constant(2, "value") if at.has(2) else np.asarray(at.attributes.get("value", 0.0))
    around = [] if pads is None else pads.astype(int).tolist()
    if at.has(3):
        given, full = at.constant(3, "axes").tolist(), [0] * 8
        for i, axis in enumerate(given):
            full[axis % 4], full[axis % 4 + 4] = around[i], around[i + len(given)]
        around = full
    if not any(around):
        return at.raw()
    mode = at.attributes.get("mode", "constant")
    if len(around) != 8 or any(around[i] for i in (0, 1, 4, 5)) or min(around) < 0:
        raise at.error("hwnas only reads padding around a feature map")
    (top, left), (bottom, right) = around[2:4], around[6:]
    if mode in get_args(Border):
        return at.add(Pad, at.value(), pads=(top, left, bottom, right), mode=mode)
    if mode != "constant":
        raise at.error(f"it pads by {mode}, and hwnas reads padding by numbers, reflect and edge", "pad with zeros")
    return Padded(at.value(), (top, left, bottom, right), float(value.reshape(-1)[0]))


def unpadded(at: Reading) -> tuple[int, Padded | None]:
    """The number of the input without the padding that a node before put around it, and that padding."""
    given = at.raw()
    return (given.number, given) if isinstance(given, Padded) else (at.value(), None)


def pair(at: Reading, attribute: str) -> Pair:
    """An attribute with values for height and width; ones by default."""
    height, width = at.attributes.get(attribute, (1, 1))
    return (height, width)


def padding(at: Reading, shape: Shape, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Pads:
    """The padding of an input; SAME_UPPER and SAME_LOWER follow from its size for the file's own image."""
    auto = at.attributes.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        top, left, bottom, right = at.attributes.get("pads", (0, 0, 0, 0))
        return (top, left, bottom, right)
    if auto == "VALID":
        return (0, 0, 0, 0)
    before, after = [], []
    for size, k, s, d in zip(shape[1:], kernel, stride, dilation, strict=True):
        total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
        small, large = total // 2, total - total // 2
        before.append(small if auto == "SAME_UPPER" else large)
        after.append(large if auto == "SAME_UPPER" else small)
    return (before[0], before[1], after[0], after[1])
