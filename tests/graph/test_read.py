"""ONNX files of other people's networks, read into ops: the same numbers, whatever the spelling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwnas.errors import SupernetError
from hwnas.graph.read import read_network
from hwnas.space.ops import (
    Affine,
    Conv,
    Linear,
    Shuffle,
)
from tests.graph.files import END, outputs, rebuilt, same, written


def test_one_channel_is_a_feature_map(tmp_path: Path) -> None:
    """As torchvision's networks adapt images that were standardised for others."""
    body = "a = Gather<axis = 1>(x, i) b = Unsqueeze(a, one) c = Gather<axis = 1>(x, j) d = Unsqueeze(c, one)"
    arrays: dict[str, Any] = {"i": np.array(0), "j": np.array(-1), "one": np.array([1]), "half": 0.5}
    network = same(written(tmp_path / "x.onnx", f"{body} m = Mul(d, half) h = Concat<axis = 1>(b, m) {END}", **arrays))
    assert [type(op).__name__ for op in network.ops[:4]] == ["Slice", "Slice", "Affine", "Concat"]


def test_differences_and_repeated_gates(tmp_path: Path) -> None:
    body = f"g = GlobalAveragePool(x) e = Expand(g, whole) m = Mul(e, x) c = Conv(x, w) h = Sub(m, c) {END}"
    network = same(written(tmp_path / "x.onnx", body, w=(4, 4, 1, 1), whole=np.array([1, 4, 8, 8])))
    assert [type(op).__name__ for op in network.ops[:4]] == ["GlobalPool", "Mul", "Conv", "Add"]


def test_gates_per_pixel(tmp_path: Path) -> None:
    """As CBAM has them, of the mean and the largest of all channels."""
    maps = "m = ReduceMean<axes = [1]>(x) l = ReduceMax<axes = [1]>(x) c = Concat<axis = 1>(m, l)"
    body = f"{maps} k = Conv<pads = [1, 1, 1, 1]>(c, w) g = Sigmoid(k) h = Mul(g, x) {END}"
    network = same(written(tmp_path / "x.onnx", body, w=(1, 2, 3, 3)))
    assert [type(op).__name__ for op in network.ops[:3]] == ["ChannelMax", "ChannelMean", "Concat"]


@pytest.mark.parametrize("settings", ["pads = [1, 1]", 'auto_pad = "SAME_UPPER"', "pads = [2, 2], dilations = [2]"])
def test_convolutions_over_channels(settings: str, tmp_path: Path) -> None:
    """As efficient channel attention has them."""
    body = (
        f"g = GlobalAveragePool(x) r = Reshape(g, row) c = Conv<{settings}>(r, w) s = Sigmoid(c) v = Reshape(s, gate)"
    )
    arrays: dict[str, Any] = {"row": np.array([0, 1, -1]), "gate": np.array([0, 4, 1, 1]), "w": (1, 1, 3)}
    network = same(written(tmp_path / "x.onnx", f"{body} h = Mul(x, v) {END}", **arrays))
    assert [op.kernel for op in network.ops if isinstance(op, Conv)] == [(1, 3)]


@pytest.mark.parametrize(("groups", "filters"), [(1, 4), (4, 1)])
def test_sums_of_parallel_convolutions_are_one(groups: int, filters: int, tmp_path: Path) -> None:
    """As RepVGG's blocks are deployed; depthwise, MobileOne's. Not if the smaller kernel lies elsewhere than in the centre."""
    three = f"t = Conv<pads = [1, 1, 1, 1], group = {groups}>(x, w) a = BatchNormalization(t, s, b, m, v)"
    body = f"{three} o = Conv<group = {groups}>(x, k, b) i = BatchNormalization(x, s, b, m, v) c = Add(a, o) h = Add(i, c) {END}"
    arrays: dict[str, Any] = {"w": (4, filters, 3, 3), "k": (4, filters, 1, 1), **dict.fromkeys("sbmv", (4,))}
    network = same(written(tmp_path / "x.onnx", body, **arrays))
    assert [type(op).__name__ for op in network.ops] == ["Conv", "GlobalPool", "Flatten"]
    moved = body.replace("pads = [1, 1, 1, 1]", "pads = [2, 2, 0, 0]")
    network = same(written(tmp_path / "y.onnx", moved, **arrays))
    assert [type(op).__name__ for op in network.ops] == [
        "Conv",
        "Conv",
        "BatchNorm",
        "Add",
        "Add",
        "GlobalPool",
        "Flatten",
    ]


def test_reshapes_that_cancel_vanish(tmp_path: Path) -> None:
    body = f"a = Reshape(x, rows) f = Flatten(a) h = Reshape(f, back) {END}"
    network = same(written(tmp_path / "x.onnx", body, rows=np.array([0, 2, -1]), back=np.array([0, 4, 8, 8])))
    assert [type(op).__name__ for op in network.ops] == ["GlobalPool", "Flatten"]


def test_sums_are_written_in_two_ways(tmp_path: Path) -> None:
    body = f"c = Conv(x, w) s = Sum(c, x) h = Sum(s, shift) {END}"
    network = same(written(tmp_path / "x.onnx", body, w=(4, 4, 1, 1), shift=(4, 1, 1)))
    assert [type(op).__name__ for op in network.ops][:3] == ["Conv", "Add", "Affine"]


def test_scales_and_shifts_go_into_weights(tmp_path: Path) -> None:
    """Input normalisation stays, the layer scale of a linear map of channels goes into it, dead ends vanish."""
    body = (
        "a = Sub(x, mean) i = Div(a, std) t = Transpose<perm = [0, 2, 3, 1]>(i) l = MatMul(t, w) d = Add(l, bias)"
        f" u = Transpose<perm = [0, 3, 1, 2]>(d) h = Mul(u, scale) dead = Relu(h) {END}"
    )
    shapes: dict[str, Any] = {"mean": (1, 4, 1, 1), "std": (4, 1, 1), "w": (4, 6), "bias": (6,), "scale": (6, 1, 1)}
    network = same(written(tmp_path / "x.onnx", body, **shapes))
    kinds = [type(op).__name__ for op in network.ops]
    assert kinds == ["Affine", "Transpose", "Linear", "Transpose", "GlobalPool", "Flatten"]


def test_what_a_shuffle_is_made_of_is_a_shuffle(tmp_path: Path) -> None:
    body = (
        "s = Shape(x) n = Gather<axis = 0>(s, zero) n1 = Unsqueeze(n, zeros) to5 = Concat<axis = 0>(n1, rows)"
        " a = Reshape(x, to5) b = Transpose<perm = [0, 2, 1, 3, 4]>(a) h = Reshape(b, back) " + END
    )
    arrays: dict[str, Any] = {
        "zero": np.array(0),
        "zeros": np.array([0]),
        "rows": np.array([2, 2, 8, 8]),
        "back": np.array([0, -1, 8, 8]),
    }
    network = same(written(tmp_path / "x.onnx", body, **arrays))
    assert isinstance(network.ops[0], Shuffle)


def test_older_operator_sets(tmp_path: Path) -> None:
    body = (
        "q, r = Split<axis = 1, split = [1, 3]>(x) k = Clip<min = 0.0, max = 6.0>(r) c = Concat<axis = 1>(q, k)"
        " p = ReduceMean<axes = [2, 3], keepdims = 1>(c) f = Squeeze<axes = [2, 3]>(p) y = Gemm<transB = 1>(f, w, b)"
    )
    network = same(written(tmp_path / "x.onnx", body, opset=9, w=(5, 4), b=(5,)))
    assert isinstance(network.ops[-1], Linear)


@pytest.mark.parametrize("shape", [(5,), (1, 5), (1, 1), ()])
def test_a_bias_is_broadcast_as_onnx_does(shape: tuple[int, ...], tmp_path: Path) -> None:
    same(written(tmp_path / "x.onnx", "f = Flatten(x) y = Gemm(f, w, b)", w=(256, 5), b=shape))


def test_zeros_around_a_feature_map_join_the_convolution(tmp_path: Path) -> None:
    body = f"a = Pad(x, pads) h = Conv<strides = [2, 2]>(a, w) {END}"
    network = same(written(tmp_path / "x.onnx", body, w=(4, 4, 3, 3), pads=np.array([0, 0, 0, 0, 0, 0, 1, 1])))
    assert isinstance(network.ops[0], Conv)
    assert network.ops[0].pads == (0, 0, 1, 1)
    same(
        written(tmp_path / "y.onnx", f'h = Conv<auto_pad = "SAME_UPPER", strides = [2, 2]>(x, w) {END}', w=(4, 4, 3, 3))
    )


def test_a_bias_or_a_scale_at_the_end_goes_into_the_linear_map(tmp_path: Path) -> None:
    """As TensorFlow's exporters write a dense layer, and as logits are divided by a temperature."""
    for body in ("m = MatMul(f, w) y = Add(m, b)", "m = Gemm(f, w, b) y = Div(m, two)"):
        network = same(written(tmp_path / "x.onnx", f"f = Flatten(x) {body}", w=(256, 5), b=(5,), two=2.0))
        assert [type(op).__name__ for op in network.ops] == ["Flatten", "Linear"]


def test_functions_of_an_exporter_are_read_as_what_they_are_made_of(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    text = f"""<ir_version: 8, opset_import: ["": 17, "own": 1]> g (float[N,4,8,8] x) => (float[N,C] y) {{ h = own.act(x) {END} }}
        <domain: "own", opset_import: ["": 17]> act (a) => (c) {{ b = Sigmoid(a) c = Mul(a, b) }}"""
    path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
    assert [type(op).__name__ for op in same(path).ops] == ["Activation", "GlobalPool", "Flatten"]


@pytest.mark.parametrize(
    "end", ["y = Softmax(f)", "y = Sigmoid(f)", "s = LogSoftmax(f) c = Cast<to = 1>(s) y = Identity(c)"]
)
def test_a_softmax_or_sigmoid_at_the_end_is_left_out(end: str, tmp_path: Path) -> None:
    body = f"p = GlobalAveragePool(x) f = Flatten(p) {end}"
    assert [type(op).__name__ for op in read_network(written(tmp_path / "x.onnx", body)).ops] == [
        "GlobalPool",
        "Flatten",
    ]


def test_channels_that_come_last_are_read_as_the_first(tmp_path: Path) -> None:
    body = f"t = Transpose<perm=[0, 3, 1, 2]>(x) h = Conv(t, w) {END}"
    path = written(tmp_path / "x.onnx", body, inputs="float[N,8,9,4] x", w=(6, 4, 3, 3))
    found = read_network(path)
    assert found.input_shape == (4, 8, 9)
    x = np.random.default_rng(1).normal(size=(2, 8, 9, 4)).astype(np.float32)
    ours = outputs(rebuilt(found), x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(ours, outputs(onnx.load(path), x), rtol=1e-5)


def test_networks_of_tensorflow_may_make_the_image_standard_before_they_turn_it(tmp_path: Path) -> None:
    """And average over height and width with the channels behind them."""
    body = (
        "s = Mul(x, part) n = Sub(s, mean) t = Transpose<perm = [0, 3, 1, 2]>(n) c = Conv(t, w)"
        " l = Transpose<perm = [0, 2, 3, 1]>(c) a = Add(l, b) r = Relu(a)"
        " g = ReduceMean<axes = [1, 2], keepdims = 1>(r) q = Transpose<perm = [0, 3, 1, 2]>(g) k = Conv(q, v)"
        " f = Transpose<perm = [0, 3, 1, 2]>(r) m = Mul(f, k) o = Transpose<perm = [0, 2, 3, 1]>(m)"
        " y = ReduceMean<axes = [1, 2], keepdims = 0>(o)"
    )
    weights: dict[str, Any] = {"part": 1 / 255, "mean": (4,), "w": (6, 4, 3, 3), "b": (6,), "v": (6, 6, 1, 1)}
    path = written(tmp_path / "x.onnx", body, inputs="float[N,8,9,4] x", opset=13, **weights)
    found = read_network(path)
    assert found.input_shape == (4, 8, 9)
    assert [op.axis for op in found.ops if isinstance(op, Affine)] == [2]  # of the channels: the size may change
    x = np.random.default_rng(1).normal(size=(2, 8, 9, 4)).astype(np.float32)
    ours = outputs(rebuilt(found), x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(ours, outputs(onnx.load(path), x), rtol=1e-5)


def test_transposes_after_each_other_are_one_or_none(tmp_path: Path) -> None:
    there, back = (f"Transpose<perm = [0, {axes}]>" for axes in ("2, 3, 1", "3, 1, 2"))
    network = same(written(tmp_path / "x.onnx", f"a = {there}(x) b = {back}(a) h = Relu(b) {END}"))
    assert [type(op).__name__ for op in network.ops] == ["Activation", "GlobalPool", "Flatten"]
    network = same(written(tmp_path / "x.onnx", f"a = {there}(x) b = {there}(a) y = Flatten(b)"))
    assert [type(op).__name__ for op in network.ops] == ["Transpose", "Flatten"]


@pytest.mark.parametrize("kind", ["float16", "double", "bfloat16"])
def test_real_numbers_of_other_kinds_are_read_as_float(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = f"c = Conv(x, w) s = Mul(c, half) h = Clip(s, zero, six) {END}"
    path = written(tmp_path / "x.onnx", body, w=(6, 4, 3, 3), half=0.5, zero=0.0, six=6.0)
    plain = read_network(path)
    model = onnx.load(path)
    number = getattr(TensorProto, kind.upper())
    model.graph.input[0].type.tensor_type.elem_type = number
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    del model.graph.initializer[:]
    dtype = helper.tensor_dtype_to_np_dtype(number)
    model.graph.initializer.extend(numpy_helper.from_array(a.astype(dtype), name) for name, a in arrays.items())
    path.write_bytes(model.SerializeToString())
    with caplog.at_level("INFO", "hwnas"):
        found = read_network(path)
    assert f"x.onnx is of {kind}: exported files are float" in caplog.text
    assert found.ops == plain.ops
    np.testing.assert_allclose(found.weights[0]["weight"], plain.weights[0]["weight"], rtol=1e-2)


def test_a_file_for_batches_of_eight_is_read_for_any(tmp_path: Path) -> None:
    body = "p = GlobalAveragePool(x) f = Reshape(p, eight) y = Gemm(f, w)"
    path = written(tmp_path / "x.onnx", body, inputs="float[8,4,8,8] x", eight=np.array([8, 4]), w=(4, 5))
    assert [type(op).__name__ for op in read_network(path).ops] == ["GlobalPool", "Flatten", "Linear"]


def test_open_sizes_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "x.onnx", f"h = Relu(x) {END}", inputs="float[N,3,H,W] x")
    with caplog.at_level("INFO", "hwnas"):
        assert read_network(path).input_shape == (3, 224, 224)
    assert "224 x 224 is taken" in caplog.text


def test_weights_beside_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "x.onnx", f"h = Conv(x, w) {END}", w=(40, 4, 3, 3))
    plain = read_network(path)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="x.data", size_threshold=0)
    np.testing.assert_array_equal(read_network(path).weights[0]["weight"], plain.weights[0]["weight"])
    (tmp_path / "x.data").unlink()
    with pytest.raises(SupernetError, match=r"its weights are in x\.data, which is not beside it; put x\.data into"):
        read_network(path)
