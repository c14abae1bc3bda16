"""Batch norms and layer norms."""

from __future__ import annotations

import numpy as np

from hwnas.graph.read._reading import Reading, reads
from hwnas.space.ops import BatchNorm, LayerNorm


@reads("BatchNormalization")
def _batch_norm(at: Reading) -> int:
    if at.attributes.get("training_mode"):
        raise at.error("it is in training mode", "export the network in evaluation mode")
    parts = ("weight", "bias", "running_mean", "running_var")
    weights = {part: at.constant(i, part) for i, part in enumerate(parts, start=1)}
    y = at.add(BatchNorm, at.value(), weights=weights)
    at.eps[y - 1] = float(at.attributes.get("epsilon", 1e-5))
    return y


@reads("LayerNormalization")
def _layer_norm(at: Reading) -> int:
    axis, shape = at.attributes.get("axis", -1), at.shape()
    scale = at.constant(1, "scale")
    if axis not in (-1, len(shape)) or scale.size != shape[-1]:
        raise at.error(f"it normalises from axis {axis} of {(1, *shape)}, and hwnas only over the last axis")
    weights = {"weight": scale.reshape(-1)}
    weights["bias"] = at.constant(2, "bias").reshape(-1) if at.has(2) else np.zeros(shape[-1])
    return at.add(LayerNorm, at.value(), weights=weights, eps=float(at.attributes.get("epsilon", 1e-5)))
