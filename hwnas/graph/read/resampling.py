"""Feature maps that are made larger by whole factors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.graph.ops.resampling import RESIZING
from hwnas.graph.read._file import evaluated
from hwnas.graph.read._reading import Reading, reads
from hwnas.space.ops import Pair, Upsample

SAMPLE = np.random.default_rng(0).normal(size=(1, 1, 3, 4)).astype(np.float32)
"""A feature map on which ways to resize are compared."""

WITH_COORDINATES, NEWEST = 11, 18
"""Operator sets of ``Resize``: before the first, and in ``Upsample``, coordinates are those named asymmetric."""


@reads("Resize", "Upsample")
def _resized(at: Reading) -> int:
    x = at.value()
    if x == 0:
        remedy = "export the network without it; for images of another size, train it on those"
        raise at.error("it resizes the image, and hwnas resizes images itself", remedy)
    factor = _factor(at)
    if factor == (1, 1):
        return x
    settings = {
        key: at.attributes[key] for key in at.attributes if key not in ("scales", "axes", "keep_aspect_ratio_policy")
    }
    if at.graph.opset < WITH_COORDINATES or at.node.op_type == "Upsample":
        settings = {**RESIZING["nearest"], **settings}
    expected = _computed(settings, factor)
    for mode, known in RESIZING.items():
        if np.allclose(_computed(known, factor), expected, atol=1e-5):
            return at.add(Upsample, x, factor=factor, mode=mode)
    told = ", ".join(f"{key} {value}" for key, value in settings.items())
    rule = f"it resizes in another way ({told}) than nearest, or linear with half_pixel or align_corners"
    raise at.error(rule, "export it with one of these")


def _factor(at: Reading) -> Pair:
    """Of height and width."""
    shape = at.shape()
    if at.has(3):
        ratios = at.constant(3, "size")[-2:] / shape[-2:]
    else:
        scales = at.constant(2, "scale") if at.has(2) else at.setting(1, "scales")
        ratios = np.ones(2) if scales is None else scales[-2:].astype(np.float64)
    height, width = ratios.tolist()
    if len(shape) != 3 or any(ratio < 1 or ratio % 1 for ratio in (height, width)):
        rule = f"it makes a feature map {height:g} x {width:g} as large, and hwnas only reads whole factors"
        raise at.error(rule)
    return (int(height), int(width))


def _computed(settings: Mapping[str, Any], factor: Pair) -> NDArray[np.float32]:
    """`SAMPLE`, resized."""
    from onnx import helper

    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **settings)
    return evaluated(node, {"x": SAMPLE, "scales": np.array((1, 1, *factor), dtype=np.float32)}, NEWEST)[0]
