"""Poolings. A window of the whole feature map and a mean or maximum over height and width are global poolings."""

from __future__ import annotations

from hwnas.graph.read._reading import Reading, reads
from hwnas.graph.read.convolution import padding, pair
from hwnas.space.ops import AvgPool, Flatten, GlobalMaxPool, GlobalPool, MaxPool, Pair, Transpose


def _kernel(at: Reading) -> Pair:
    if any(d != 1 for d in at.attributes.get("dilations", ())):
        raise at.error("its window is dilated")
    if len(at.shape()) != 3:
        raise at.error(f"it pools {at.shape()}, which is no feature map")
    height, width = at.attributes["kernel_shape"]
    return (height, width)


@reads("MaxPool")
def _max_pool(at: Reading) -> int:
    kernel, stride, ceil = _kernel(at), pair(at, "strides"), bool(at.attributes.get("ceil_mode"))
    pads = padding(at, at.shape(), kernel, stride)
    if kernel == at.shape()[1:] and not any(pads):
        return at.add(GlobalMaxPool, at.value())
    return at.add(MaxPool, at.value(), kernel=kernel, stride=stride, pads=pads, ceil=ceil)


@reads("AveragePool")
def _avg_pool(at: Reading) -> int:
    kernel, stride, ceil = _kernel(at), pair(at, "strides"), bool(at.attributes.get("ceil_mode"))
    pads = padding(at, at.shape(), kernel, stride)
    if kernel == at.shape()[1:] and not any(pads):
        return at.add(GlobalPool, at.value())
    if any(pads) and at.attributes.get("count_include_pad"):
        raise at.error("it counts zeros around the feature map", "pool with count_include_pad=False")
    return at.add(AvgPool, at.value(), kernel=kernel, stride=stride, pads=pads, ceil=ceil)


@reads("GlobalAveragePool")
def _global_pool(at: Reading) -> int:
    return at.add(GlobalPool, at.value())


@reads("GlobalMaxPool")
def _global_max_pool(at: Reading) -> int:
    return at.add(GlobalMaxPool, at.value())


@reads("ReduceMax", "ReduceMean")
def _over_the_map(at: Reading) -> int:
    axes, rank = at.setting(1, "axes"), len(at.shape()) + 1
    over = sorted(int(axis) % rank for axis in axes.reshape(-1)) if axes is not None else list(range(rank))
    last = over == [1, 2]  # channels are last, as in TensorFlow
    if rank != 4 or not (last or over == [2, 3]):
        raise at.error(f"it reduces axes {over} of {(1, *at.shape())}, and not height and width of a feature map")
    kind = GlobalPool if at.node.op_type == "ReduceMean" else GlobalMaxPool
    pooled = at.add(kind, at.add(Transpose, at.value(), axes=(2, 0, 1)) if last else at.value())
    if not at.attributes.get("keepdims", 1):
        return at.add(Flatten, pooled)
    return at.add(Transpose, pooled, axes=(1, 2, 0)) if last else pooled
