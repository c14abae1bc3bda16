"""Edges that are mirrored or repeated, and feature maps made larger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwnas.graph.read import read_network
from hwnas.space.ops import Conv, Pad, Upsample
from tests.graph.files import END, same, written


@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_edges_are_mirrored_or_repeated(mode: str, tmp_path: Path) -> None:
    body = f'a = Pad<mode = "{mode}">(x, pads) h = Conv<pads = [1, 0, 0, 0]>(a, w) {END}'
    network = same(written(tmp_path / "x.onnx", body, w=(4, 4, 3, 3), pads=np.array([0, 0, 3, 0, 0, 0, 1, 2])))
    pad, conv, *_ = network.ops
    assert isinstance(pad, Pad)
    assert (pad.pads, pad.mode) == ((3, 0, 1, 2), mode)
    assert isinstance(conv, Conv)
    assert conv.pads == (1, 0, 0, 0)


WAYS = {
    "nearest": ("nearest", 'mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"'),
    "nearest by centres": ("nearest", 'mode = "nearest"'),
    "linear": ("linear", 'mode = "linear"'),
    "linear in torch's words": ("linear", 'mode = "linear", coordinate_transformation_mode = "pytorch_half_pixel"'),
    "corners": ("aligned", 'mode = "linear", coordinate_transformation_mode = "align_corners"'),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sizes", ["scales", ", sizes"])
def test_maps_are_made_larger_by_whole_factors(way: str, sizes: str, tmp_path: Path) -> None:
    mode, settings = WAYS[way]
    body = f"a = Relu(x) r = Resize<{settings}>(a, , {sizes}) h = Conv(r, w) {END}"
    scales = np.array([1, 1, 2, 3], np.float32)
    network = same(written(tmp_path / "x.onnx", body, w=(4, 4, 3, 3), scales=scales, sizes=np.array([2, 4, 16, 24])))
    (found,) = (op for op in network.ops if isinstance(op, Upsample))
    assert (found.mode, found.factor) == (mode, (2, 3))


@pytest.mark.parametrize(("opset", "operator"), [(9, "Upsample"), (10, "Resize")])
def test_older_operator_sets_repeat_pixels(opset: int, operator: str, tmp_path: Path) -> None:
    body = f"a = Relu(x) h = {operator}(a, scales) {END}"
    network = read_network(written(tmp_path / "x.onnx", body, opset=opset, scales=np.array([1, 1, 2, 2], np.float32)))
    assert [op.mode for op in network.ops if isinstance(op, Upsample)] == ["nearest"]


def test_a_map_of_its_own_size_is_left_alone(tmp_path: Path) -> None:
    body = f"a = Relu(x) h = Resize(a, , , sizes) {END}"
    network = read_network(written(tmp_path / "x.onnx", body, sizes=np.array([1, 4, 8, 8])))
    assert not any(isinstance(op, Upsample) for op in network.ops)
