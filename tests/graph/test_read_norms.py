"""Norms in ONNX files, as one node or several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas.errors import SupernetError
from hwnas.graph.read import read_network
from hwnas.space.ops import (
    Activation,
    Affine,
    BatchNorm,
    Conv,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
    ResponseNorm,
)
from tests.graph.files import END, same, written

CENTRED = "m = ReduceMean<axes = [{a}]>({x}) d = Sub({x}, m)"
OF_CENTRED = "v = ReduceMean<axes = [{a}]>(q) e = Add(v, eps) s = Sqrt(e) n = Div(d, s) k = Mul({w}, n) z = Add(k, {b})"


@pytest.mark.parametrize("square", ["q = Mul(d, d)", "q = Pow(d, two)", "c = Sub({x}, m) q = Pow(c, two)"])
def test_layer_norms_in_several_nodes(square: str, tmp_path: Path) -> None:
    """As exporters write them for operator sets before 17, and networks by hand for channels that come first."""
    arrays: dict[str, Any] = {"w": (4,), "b": (4,), "cw": (4, 1, 1), "cb": (4, 1, 1), "eps": 0.01, "two": 2.0}
    norm = f"{CENTRED} {square} {OF_CENTRED}"
    last = norm.format(x="l", a=-1, w="w", b="b")
    body = f"l = Transpose<perm = [0, 2, 3, 1]>(x) {last} h = Transpose<perm = [0, 3, 1, 2]>(z) {END}"
    vector = f"g = GlobalAveragePool(x) f = Flatten(g) {norm.format(x='f', a=-1, w='w', b='b')} y = Relu(z)"
    network = same(written(tmp_path / "v.onnx", vector, opset=13, **arrays))
    assert [type(op).__name__ for op in network.ops] == ["GlobalPool", "Flatten", "LayerNorm", "Activation"]
    for path, text in (("l.onnx", body), ("f.onnx", f"{norm.format(x='x', a=1, w='cw', b='cb')} h = Relu(z) {END}")):
        network = same(written(tmp_path / path, text, opset=13, **arrays))
        assert [type(op).__name__ for op in network.ops[:3]] == ["Transpose", "LayerNorm", "Transpose"]
        norms = [op for op in network.ops if isinstance(op, LayerNorm)]
        assert [op.eps for op in norms] == [pytest.approx(0.01)]


NORM = "BatchNormalization<epsilon = {eps}>({x}, s, b, m, v)"


def test_batch_norms_join_convolutions_and_stand_alone_elsewhere(tmp_path: Path) -> None:
    body = f"c = Conv(x, w) n = {NORM.format(eps=0.001, x='c')} r = Relu(n) h = {NORM.format(eps=0.01, x='r')} {END}"
    network = same(written(tmp_path / "x.onnx", body, w=(6, 4, 3, 3), s=(6,), b=(6,), m=(6,), v=(6,)))
    assert [type(op) for op in network.ops[:3]] == [Conv, Activation, BatchNorm]
    assert isinstance(network.ops[0], Conv)
    assert network.ops[0].bn
    assert network.bn_eps == pytest.approx(1e-3)  # the other's is in its variances


ROWS = "r = Reshape(x, rows) i = InstanceNormalization(r, one, zero) k = Reshape(i, back)"
NORMS: Mapping[str, tuple[int, str]] = {
    "instances": (17, "h = InstanceNormalization<epsilon = 0.001>(x, s, b)"),
    "groups as rows": (17, f"{ROWS} m = Mul(k, scale) h = Add(m, shift)"),
    "the rest by one number": (17, f"{ROWS.replace('one, zero', 'two, three')} h = Mul(k, half)"),
    "a scale per group": (18, "h = GroupNormalization<num_groups = 2>(x, two, three)"),
    "a scale per channel": (21, "h = GroupNormalization<num_groups = 2, epsilon = 0.001>(x, s, b)"),
}


@pytest.mark.parametrize("spelling", NORMS)
def test_group_norms_in_every_spelling(spelling: str, tmp_path: Path) -> None:
    opset, body = NORMS[spelling]
    arrays: dict[str, Any] = {
        "rows": np.array([0, 2, -1]),
        "back": np.array([0, 4, 8, 8]),
        "half": 0.5,
        "one": np.ones(2),
        "zero": np.zeros(2),
        "two": (2,),
        "three": (2,),
        "s": (4,),
        "b": (4,),
        "scale": (4, 1, 1),
        "shift": (4, 1, 1),
    }
    network = same(written(tmp_path / "x.onnx", f"{body} {END}", opset=opset, **arrays))
    norm, *rest = network.ops
    assert isinstance(norm, GroupNorm)
    assert norm.groups == (4 if spelling == "instances" else 2)
    assert [type(op).__name__ for op in rest] == ["GlobalPool", "Flatten"]


LENGTHS = "l = ReduceL2<axes = [{over}]>({x}) m = ReduceMean<axes = [{axis}]>(l) a = Add(m, eps) n = Div(l, a) r = Mul({x}, n)"


def test_response_norms(tmp_path: Path) -> None:
    """As ConvNeXt V2's blocks have them, with channels last or first."""
    arrays: dict[str, Any] = {"eps": 1e-3, "w": (4,), "b": (4,), "cw": (4, 1, 1), "cb": (4, 1, 1)}
    last = LENGTHS.format(over="1, 2", x="t", axis=-1) + " g = Mul(w, r) s = Add(g, b) d = Add(s, t)"
    first = LENGTHS.format(over="2, 3", x="x", axis=1) + " g = Mul(r, cw) s = Add(cb, g) h = Add(x, s)"
    turned = f"t = Transpose<perm = [0, 2, 3, 1]>(x) {last} h = Transpose<perm = [0, 3, 1, 2]>(d)"
    for body, axis in ((turned, 2), (first, 0)):
        network = same(written(tmp_path / "x.onnx", f"{body} {END}", **arrays))
        norms = [op for op in network.ops if isinstance(op, ResponseNorm)]
        assert [op.axis for op in norms] == [axis]
        assert [op.eps for op in norms] == [pytest.approx(1e-3)]
        assert sum(isinstance(op, Affine) for op in network.ops) == 1


def test_local_response_norms(tmp_path: Path) -> None:
    """As in AlexNet and the first GoogLeNet."""
    network = same(written(tmp_path / "x.onnx", f"h = LRN<size = 3, alpha = 0.5, beta = 0.6, bias = 2.0>(x) {END}"))
    (norm, *_) = network.ops
    assert isinstance(norm, LocalResponseNorm)
    assert (norm.size, norm.alpha, norm.k) == (3, 0.5, 2.0)
    with pytest.raises(SupernetError, match="mean over 4 channels, and hwnas reads only an odd number"):
        read_network(written(tmp_path / "x.onnx", f"h = LRN<size = 4>(x) {END}"))


def test_a_convolution_that_two_read_keeps_its_value(tmp_path: Path) -> None:
    body = f"c = Conv(x, w) n = {NORM.format(eps=0.001, x='c')} h = Add(c, n) {END}"
    network = same(written(tmp_path / "x.onnx", body, w=(4, 4, 1, 1), s=(4,), b=(4,), m=(4,), v=(4,)))
    assert any(isinstance(op, BatchNorm) for op in network.ops)
