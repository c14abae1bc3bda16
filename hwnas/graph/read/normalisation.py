"""Norms."""

from __future__ import annotations

import numpy as np

from hwnas.graph.read._reading import Reading, Value, reads
from hwnas.space.ops import BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm, Reshape


@reads("BatchNormalization")
def _batch_norm(at: Reading) -> int:
    if at.attributes.get("training_mode"):
        raise at.error("it is in training mode", "export the network in evaluation mode")
    parts = ("weight", "bias", "running_mean", "running_var")
    weights = {part: at.constant(i, part) for i, part in enumerate(parts, start=1)}
    y = at.add(BatchNorm, at.value(), weights=weights)
    at.eps[y - 1] = float(at.attributes.get("epsilon", 1e-5))
    return y


@reads("InstanceNormalization")
def _instance_norm(at: Reading) -> Value:
    """Of a feature map whose channels were made rows, it is a group norm. Exporters write group norms so."""
    x, shape = at.value(), at.shape()
    before = at.list.ops[x - 1] if x else None
    if isinstance(before, Reshape) and len(before.in_shape) == 3 and before.in_shape[0] % shape[0] == 0:
        return at.add(Reshape, _group_norm(at, before.inputs[0], groups=shape[0]), to=shape)
    return _group_norm(at, x, groups=shape[0])


@reads("GroupNormalization")
def _of_groups(at: Reading) -> Value:
    return _group_norm(at, at.value(), groups=at.attributes["num_groups"])


def _group_norm(at: Reading, x: int, groups: int) -> int:
    """A group norm whose scale and shift are constants per group or per channel."""
    channels, weights = at.list.channels(x), {}
    for i, part in enumerate(("weight", "bias"), start=1):
        given = at.constant(i, part).reshape(-1)
        if given.size not in (groups, channels) or channels % groups:
            raise at.error(f"it has {given.size} numbers as {part} for {channels} channels in {groups} groups")
        weights[part] = given.repeat(channels // given.size)
    return at.add(GroupNorm, x, weights=weights, groups=groups, eps=float(at.attributes.get("epsilon", 1e-5)))


@reads("LRN")
def _local_response_norm(at: Reading) -> Value:
    size, given = at.attributes["size"], at.attributes
    if size % 2 == 0:
        raise at.error(f"it takes the mean over {size} channels, and hwnas reads only an odd number of them")
    alpha, beta, k = given.get("alpha", 1e-4), given.get("beta", 0.75), given.get("bias", 1.0)
    return at.add(LocalResponseNorm, at.value(), size=size, alpha=alpha, beta=beta, k=k)


@reads("LayerNormalization")
def _layer_norm(at: Reading) -> int:
    axis, shape = at.attributes.get("axis", -1), at.shape()
    scale = at.constant(1, "scale")
    if axis not in (-1, len(shape)) or scale.size != shape[-1]:
        raise at.error(f"it normalises from axis {axis} of {(1, *shape)}, and hwnas only over the last axis")
    weights = {"weight": scale.reshape(-1)}
    weights["bias"] = at.constant(2, "bias").reshape(-1) if at.has(2) else np.zeros(shape[-1])
    return at.add(LayerNorm, at.value(), weights=weights, eps=float(at.attributes.get("epsilon", 1e-5)))
