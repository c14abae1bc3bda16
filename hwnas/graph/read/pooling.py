"""Poolings. A window of the whole feature map and a mean or maximum over height and width are global poolings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from hwnas.graph.read._moments import Moment, reduced
from hwnas.graph.read._reading import Reading, Value, reads
from hwnas.graph.read.convolution import padding, pair, unpadded
from hwnas.space.ops import (
    Activation,
    AvgPool,
    ChannelMax,
    Flatten,
    GlobalMaxPool,
    GlobalPool,
    MaxPool,
    PaddedAvgPool,
    Pads,
    Reshape,
    Transpose,
)

NOT_NEGATIVE = ("relu", "relu6", "hsigmoid", "hsigmoid_0.2", "sigmoid", "softplus")
"""Activations whose maximum over a window is the same with zeros around them as without."""

LEAST = -6e4
"""A number below this around a feature map is never the largest: exporters write the least one of a precision, or infinity."""


@dataclass(frozen=True)
class _Window:
    """A pool's input and window.

    Attributes:
        x: number of the input, without padding.
        settings: of the op.
        around: the number that an earlier node put around the input; None if it put none.
    """

    x: int
    settings: Mapping[str, Any]
    around: float | None

    @classmethod
    def of(cls, at: Reading) -> _Window:
        if any(d != 1 for d in at.attributes.get("dilations", ())):
            raise at.error("its window is dilated")
        x, given = unpadded(at)
        shape = at.list.shape(x)
        if len(shape) != 3:
            raise at.error(f"it pools {shape}, which is no feature map")
        height, width = at.attributes["kernel_shape"]
        kernel, stride, ceil = (height, width), pair(at, "strides"), bool(at.attributes.get("ceil_mode"))
        pads = padding(at, shape, kernel, stride)
        if given is not None:
            if any(pads) or max(given.pads[::2]) >= height or max(given.pads[1::2]) >= width:
                raise at.error("a node before it pads its input, and it cannot do so itself", "pad in this node")
            pads = given.pads
        settings = {"kernel": kernel, "stride": stride, "pads": pads, "ceil": ceil}
        return cls(x, settings, None if given is None else given.around)

    @property
    def pads(self) -> Pads:
        """The padding around the input."""
        pads: Pads = self.settings["pads"]
        return pads

    def is_whole(self, at: Reading) -> bool:
        """Whether it is the whole feature map."""
        return self.settings["kernel"] == at.list.shape(self.x)[1:] and not any(self.pads)

    def fits(self, at: Reading) -> bool:
        """Whether the last window ends where the padded feature map does, so that rounding up changes nothing."""
        sizes = (size + self.pads[i] + self.pads[i + 2] for i, size in enumerate(at.list.shape(self.x)[1:]))
        steps = zip(sizes, self.settings["kernel"], self.settings["stride"], strict=True)
        return all((size - kernel) % stride == 0 for size, kernel, stride in steps)


@reads("MaxPool")
def _max_pool(at: Reading) -> int:
    window = _Window.of(at)
    if window.is_whole(at):
        return at.add(GlobalMaxPool, window.x)
    before = at.list.ops[window.x - 1] if window.x else None
    harmless = isinstance(before, Activation) and before.function in NOT_NEGATIVE and window.around == 0
    if window.around is not None and window.around > LEAST and not harmless:
        raise at.error(f"its input is padded with {window.around:g}, which may be the largest", "pad in this node")
    return at.add(MaxPool, window.x, **window.settings)


@reads("AveragePool")
def _avg_pool(at: Reading) -> int:
    window = _Window.of(at)
    if window.is_whole(at):
        return at.add(GlobalPool, window.x)
    if window.around:
        raise at.error(f"its input is padded with {window.around:g}, and hwnas reads only zeros", "pad with zeros")
    counted = window.around is not None or at.attributes.get("count_include_pad")
    if not counted or not any(window.pads):
        return at.add(AvgPool, window.x, **window.settings)
    if window.settings["ceil"] and not window.fits(at):
        raise at.error("it counts zeros around the feature map and rounds up", "pool with ceil_mode=False")
    return at.add(PaddedAvgPool, window.x, **{**window.settings, "ceil": False})


@reads("GlobalAveragePool")
def _global_pool(at: Reading) -> int:
    return at.add(GlobalPool, at.value())


@reads("GlobalMaxPool")
def _global_max_pool(at: Reading) -> int:
    return at.add(GlobalMaxPool, at.value())


@reads("ReduceL2")
def _length(at: Reading) -> Value:
    """Of each channel over the map: a step of a response norm."""
    axes, shape = at.setting(1, "axes"), at.shape()
    over = sorted(int(axis) % 4 for axis in axes.reshape(-1)) if axes is not None else []
    channels = 0 if over == [2, 3] else 2 if over == [1, 2] else None
    if channels is None or len(shape) != 3 or not at.attributes.get("keepdims", 1):
        raise at.error("hwnas only reads the length of each channel over a feature map, in response norms")
    return Moment("length", at.value(), channels)


@reads("ReduceMax", "ReduceMean")
def _over_the_map(at: Reading) -> Value:
    """A mean over a single axis is a step of a layer norm, unless this axis is the whole map as a row."""
    axes, kept = at.setting(1, "axes"), bool(at.attributes.get("keepdims", 1))
    if isinstance(given := at.raw(), Moment):
        return reduced(at, given, axes, kept=kept)
    x, rank = at.value(), len(at.shape()) + 1
    over = sorted(int(axis) % rank for axis in axes.reshape(-1)) if axes is not None else list(range(rank))
    kind = GlobalPool if at.node.op_type == "ReduceMean" else GlobalMaxPool
    before = at.list.ops[x - 1] if x else None
    if isinstance(before, Reshape) and over == [2] and before.to == (before.in_shape[0], prod(before.in_shape[1:])):
        pooled = at.add(kind, before.inputs[0])
        return at.add(Reshape, pooled, to=(*before.to[:1], 1)) if kept else at.add(Flatten, pooled)
    if kind is GlobalPool and len(over) == 1 and over != [0]:
        return Moment("mean", x, over[0] - 1, kept=kept)
    if over == [1] and rank == 4 and kept:
        return at.add(ChannelMax, x)
    last = over == [1, 2]  # channels are last, as in TensorFlow
    if rank != 4 or not (last or over == [2, 3]):
        raise at.error(f"it reduces axes {over} of {(1, *at.shape())}, and not height and width of a feature map")
    pooled = at.add(kind, at.add(Transpose, x, axes=(2, 0, 1)) if last else x)
    if not kept:
        return at.add(Flatten, pooled)
    return at.add(Transpose, pooled, axes=(1, 2, 0)) if last else pooled
