"""Feature maps made larger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwnas.graph.ops._nodes import Nodes, to_onnx
from hwnas.space.ops import Pad, Upsample


@to_onnx.register
def _pad(op: Pad, x: Sequence[str], at: Nodes) -> str:
    top, left, bottom, right = op.pads
    return at.result("Pad", [*x, at.integers(0, 0, top, left, 0, 0, bottom, right)], mode=op.mode)


RESIZING: Mapping[str, Mapping[str, str]] = {
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "linear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    "aligned": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
}
"""Attributes of ``Resize`` by the mode of `Upsample`."""


@to_onnx.register
def _upsample(op: Upsample, x: Sequence[str], at: Nodes) -> str:
    height, width = op.factor
    scales = at.constant(f"scales.{height}x{width}", (1, 1, height, width))
    return at.result("Resize", [*x, "", scales], **RESIZING[op.mode])
