"""ONNX files of other people's networks, read into ops: the same numbers, whatever the spelling; or one line that names the node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hwnas.errors import SupernetError
from hwnas.graph import build_model
from hwnas.graph.read import ReadNetwork, read_network
from hwnas.space import LayerSpec
from hwnas.space.ops import (
    Activation,
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    GroupNorm,
    LayerNorm,
    Linear,
    MaxPool,
    PaddedAvgPool,
    Pool,
    Shuffle,
)
from hwnas.space.ops.activation import SLOPES
from hwnas.supernet import folded

END = "p = GlobalAveragePool(h) y = Flatten(p)"


def written(
    path: Path,
    body: str,
    *,
    opset: int = 17,
    inputs: str = "float[N,4,8,8] x",
    outputs: str = "float[N,C] y",
    **weights: Any,
) -> Path:
    """A file of ONNX's textual form; numbers drawn for ``weights``, which are shapes or arrays."""
    rng = np.random.default_rng(0)
    text = f'<ir_version: 8, opset_import: ["": {opset}]> g ({inputs}) => ({outputs}) {{ {body} }}'
    model = onnx.parser.parse_model(text)
    for name, value in weights.items():
        array = rng.uniform(0.2, 1, value) if isinstance(value, tuple) else np.asarray(value)
        kept = array.astype(np.float32) if array.dtype.kind == "f" else array
        model.graph.initializer.append(numpy_helper.from_array(kept, name))
    path.write_bytes(model.SerializeToString())
    return path


def rebuilt(network: ReadNetwork) -> onnx.ModelProto:
    """The network as we write it."""
    weights: dict[str, NDArray[np.float32]] = {}
    for op, own in zip(network.ops, network.weights, strict=True):
        tensors = {part: torch.from_numpy(np.array(array)).double() for part, array in own.items()}
        for part, tensor in folded(op, tensors, network.bn_eps).items():
            weights[f"all/{op.name}.{part}"] = tensor.numpy().astype(np.float32)
    layer = LayerSpec("all", network.input_shape, network.ops)
    return build_model([("all", layer)], weights=weights)


def outputs(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString())
    found: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: x})[0]
    return found


def same(path: Path) -> ReadNetwork:
    """The network, after a look at whether it computes what the file does."""
    network = read_network(path)
    x = np.random.default_rng(1).normal(0, 3, (2, *network.input_shape)).astype(np.float32)
    expected = outputs(onnx.load(path), x)
    np.testing.assert_allclose(outputs(rebuilt(network), x), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    return network


SPELLINGS: Mapping[str, tuple[str, str]] = {
    "relu": ("relu", "h = Relu(x)"),
    "relu by clip": ("relu", "h = Clip(x, zero)"),
    "relu by max": ("relu", "h = Max(zero, x)"),
    "relu6": ("relu6", "h = Clip(x, zero, six)"),
    "relu6 by min": ("relu6", "r = Relu(x) h = Min(r, six)"),
    "hard swish": ("hswish", "h = HardSwish(x)"),
    "hard swish by a gate": ("hswish", "g = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x) h = Mul(x, g)"),
    "hard swish by sums": ("hswish", "a = Add(x, three) c = Clip(a, zero, six) m = Mul(x, c) h = Div(m, six)"),
    "hard sigmoid of slope 0.2": ("hsigmoid_0.2", "h = HardSigmoid(x)"),
    "hard sigmoid of slope 0.2 by sums": ("hsigmoid_0.2", "m = Mul(x, fifth) a = Add(m, half) h = Clip(a, zero, one)"),
    "hard sigmoid": ("hsigmoid", "h = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x)"),
    "swish": ("silu", "g = Sigmoid(x) h = Mul(g, x)"),
    **{f"leaky relu {slope}": (f"leaky_relu_{slope}", f"h = LeakyRelu<alpha = {slope}>(x)") for slope in SLOPES},
    "leaky relu by max": ("leaky_relu_0.1", "m = Mul(x, tenth) h = Max(x, m)"),
    "elu": ("elu", "h = Elu(x)"),
    "softplus": ("softplus", "h = Softplus(x)"),
    "softplus of torch": (
        "softplus",
        "e = Exp(x) a = Add(e, one) l = Log(a) g = Greater(x, twenty) h = Where(g, x, l)",
    ),
    "mish": ("mish", "s = Softplus(x) t = Tanh(s) h = Mul(x, t)"),
    "gelu": ("gelu", "d = Div(x, root) e = Erf(d) a = Add(e, one) m = Mul(x, a) h = Mul(m, half)"),
    "gelu by tanh": (
        "gelu_tanh",
        "q = Pow(x, three) b = Mul(q, cube) s = Add(x, b) t = Mul(s, pi) u = Tanh(t) a = Add(u, one) m = Mul(x, a) h = Mul(m, half)",
    ),
}
NUMBERS = {
    "zero": 0,
    "tenth": 0.1,
    "fifth": 0.2,
    "half": 0.5,
    "one": 1,
    "three": 3,
    "twenty": 20,
    "six": 6,
    "root": 1.41421354,
    "cube": 0.044715,
    "pi": 0.7978846,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_activations_are_known_by_what_they_compute(spelling: str, tmp_path: Path) -> None:
    function, body = SPELLINGS[spelling]
    numbers: dict[str, Any] = {name: float(n) for name, n in NUMBERS.items()}
    network = same(written(tmp_path / "x.onnx", f"{body} {END}", **numbers))
    assert [op.function for op in network.ops if isinstance(op, Activation)] == [function]
    assert len(network.ops) == 3


def test_slopes_per_channel_and_unusual_ones_are_weights(tmp_path: Path) -> None:
    for body in ("h = PRelu(x, slopes)", "h = PRelu(x, slope)", "h = LeakyRelu<alpha = 0.25>(x)"):
        network = same(written(tmp_path / "x.onnx", f"{body} {END}", slopes=(1, 4, 1, 1), slope=(1,)))
        assert [type(op).__name__ for op in network.ops] == ["PRelu", "GlobalPool", "Flatten"]


def test_maxima_over_the_map(tmp_path: Path) -> None:
    for body in ("p = GlobalMaxPool(x) y = Flatten(p)", "y = ReduceMax<axes = [2, 3], keepdims = 0>(x)"):
        network = same(written(tmp_path / "x.onnx", body))
        assert [type(op).__name__ for op in network.ops] == ["GlobalMaxPool", "Flatten"]


def test_activations_of_activations(tmp_path: Path) -> None:
    """A gate of an activated feature map, and an activation whose value two nodes read."""
    body = f"a = Relu(x) b = Sigmoid(a) c = Mul(a, b) s = Tanh(c) q = GlobalAveragePool(a) g = HardSigmoid<alpha = 0.3>(q) h = Mul(s, g) {END}"
    with pytest.raises(SupernetError, match="HardSigmoid is no activation that hwnas knows; it knows relu, relu6"):
        read_network(written(tmp_path / "x.onnx", body))
    network = same(written(tmp_path / "y.onnx", body.replace("HardSigmoid<alpha = 0.3>(q)", "Sigmoid(q)")))
    assert [op.function for op in network.ops if isinstance(op, Activation)] == ["relu", "silu", "tanh", "sigmoid"]


def test_activations_may_be_scaled(tmp_path: Path) -> None:
    """As those of NFNets are, to keep the variance."""
    numbers: dict[str, Any] = {name: float(n) for name, n in NUMBERS.items()}
    for spelling, (function, activation) in SPELLINGS.items():
        body = f"{activation.replace('h =', 'v =')} big = Mul(v, root) h = Add(big, tenth) {END}"
        network = same(written(tmp_path / "x.onnx", body, **numbers))
        assert [type(op) for op in network.ops[:2]] == [Activation, Affine], spelling
        assert isinstance(network.ops[0], Activation)
        assert network.ops[0].function == function


MEANS = (
    "w = ReduceMean<axes = [3], keepdims = 0>(x) y = ReduceMean<axes = [2], keepdims = 0>(w)",
    "w = ReduceMean<axes = [2], keepdims = 0>(x) y = ReduceMean<axes = [-1], keepdims = 0>(w)",
    "w = ReduceMean<axes = [-1]>(x) p = ReduceMean<axes = [-2]>(w) y = Flatten(p)",
    "r = Reshape(x, rows) y = ReduceMean<axes = [2], keepdims = 0>(r)",
    "r = Reshape(x, rows) p = ReduceMean<axes = [2]>(r) y = Squeeze(p, two)",
    "p = GlobalAveragePool(x) c = Gather<axis = 3>(p, zero) y = Gather<axis = 2>(c, zero)",
)


@pytest.mark.parametrize("body", MEANS)
def test_means_over_the_map_in_several_steps(body: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"rows": np.array([0, 4, -1]), "two": np.array([2]), "zero": np.array(0)}
    network = same(written(tmp_path / "x.onnx", body, inputs="float[N,4,8,9] x", **arrays))
    assert [type(op).__name__ for op in network.ops] == ["GlobalPool", "Flatten"]


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


CENTRED = "m = ReduceMean<axes = [{a}]>({x}) d = Sub({x}, m)"
OF_CENTRED = "v = ReduceMean<axes = [{a}]>(q) e = Add(v, eps) s = Sqrt(e) n = Div(d, s) k = Mul({w}, n) z = Add(k, {b})"


@pytest.mark.parametrize("square", ["q = Mul(d, d)", "q = Pow(d, two)", "c = Sub({x}, m) q = Pow(c, two)"])
def test_layer_norms_in_several_nodes(square: str, tmp_path: Path) -> None:
    """As exporters write them for operator sets before 17, and networks by hand for channels that come first."""
    arrays: dict[str, Any] = {"w": (4,), "b": (4,), "cw": (4, 1, 1), "cb": (4, 1, 1), "eps": 0.01, "two": 2.0}
    norm = f"{CENTRED} {square} {OF_CENTRED}"
    last = norm.format(x="l", a=-1, w="w", b="b")
    body = f"l = Transpose<perm = [0, 2, 3, 1]>(x) {last} h = Transpose<perm = [0, 3, 1, 2]>(z) {END}"
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


def test_reshapes_that_cancel_vanish(tmp_path: Path) -> None:
    body = f"a = Reshape(x, rows) f = Flatten(a) h = Reshape(f, back) {END}"
    network = same(written(tmp_path / "x.onnx", body, rows=np.array([0, 2, -1]), back=np.array([0, 4, 8, 8])))
    assert [type(op).__name__ for op in network.ops] == ["GlobalPool", "Flatten"]


def test_a_convolution_that_two_read_keeps_its_value(tmp_path: Path) -> None:
    body = f"c = Conv(x, w) n = {NORM.format(eps=0.001, x='c')} h = Add(c, n) {END}"
    network = same(written(tmp_path / "x.onnx", body, w=(4, 4, 1, 1), s=(4,), b=(4,), m=(4,), v=(4,)))
    assert any(isinstance(op, BatchNorm) for op in network.ops)


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


POOL = "{}<kernel_shape = [3, 3], strides = [2, 2]{}>"
AROUND = ", pads = [1, 1, 1, 1]"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MaxPool, f"r = Relu(x) a = Pad(r, pads) h = {POOL.format('MaxPool', '')}(a)"),
        (MaxPool, f"a = Pad(x, pads, least) h = {POOL.format('MaxPool', '')}(a)"),
        (PaddedAvgPool, f"a = Pad(x, pads) h = {POOL.format('AveragePool', '')}(a)"),
        (PaddedAvgPool, f"h = {POOL.format('AveragePool', AROUND + ', count_include_pad = 1')}(x)"),
        (PaddedAvgPool, f"h = {POOL.format('AveragePool', AROUND + ', count_include_pad = 1, ceil_mode = 1')}(x)"),
        (AvgPool, f"h = {POOL.format('AveragePool', AROUND)}(x)"),
    ],
)
def test_padding_joins_pools(kind: type[Pool], body: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "least": -np.inf}
    network = same(written(tmp_path / "x.onnx", f"{body} {END}", inputs="float[N,4,9,7] x", **arrays))
    pools = [op for op in network.ops if isinstance(op, Pool)]
    assert [(type(op), op.pads) for op in pools] == [(kind, (1, 1, 1, 1))]


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


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"h = LRN<size = 3>(x) {END}", "node h (LRN): hwnas cannot read this operator; it reads Abs"),
        (f"h = Selu(x) {END}", "node h (Selu): Selu is no activation that hwnas knows"),
        (
            f"h = GroupNormalization<num_groups = 2>(x, w, b) {END}",
            "node h (GroupNormalization): it has 1280 numbers as weight for 4 channels in 2 groups",
        ),
        (f"h = MatMul(x, x) {END}", "its second matrix is computed"),
        (f"p = GlobalAveragePool(x) h = Add(x, p) {END}", "it joins (4, 8, 8) and (4, 1, 1), which differ"),
        ("y = Relu(x)", "its output y is (4, 8, 8), and logits are one number per class"),
        (
            f"h = Transpose<perm = [1, 0, 2, 3]>(x) {END}",
            "node h (Transpose): it moves the batch axis, which must stay the first; write that layer with",
        ),
        (f"h = Relu(missing) {END}", "node h (Relu): no node before it computes missing; export the network again"),
        (f"h = Conv(x, filters) {END}", "its weight is for 3 channels and it gets 4; export the network again"),
        (f"a = Pad(x, pads) h = Relu(a) {END}", "only reads before convolutions and pools"),
        (
            f"h = {POOL.format('AveragePool', AROUND + ', ceil_mode = 1, count_include_pad = 1')}(x) {END}",
            "it counts zeros around the feature map and rounds up; pool with ceil_mode=False",
        ),
        (
            f"a = Pad(x, pads) h = {POOL.format('MaxPool', '')}(a) {END}",
            "node h (MaxPool): its input is padded with 0, which may be the largest; pad in this node",
        ),
        (f"a = Pad(x, pads) h = {POOL.format('MaxPool', AROUND)}(a) {END}", "it cannot do so itself; pad in"),
        (f"a = Pad(x, pads, powers) h = Conv(a, filters) {END}", "node h (Conv): its input is padded with"),
        (
            f'a = Pad<mode = "reflect">(x, pads) h = Conv(a, filters) {END}',
            "node a (Pad): it pads by reflect, and hwnas only reads padding with a number; pad with zeros",
        ),
        ("m = ReduceMean<axes = [2]>(x) y = Flatten(m)", "node y (Flatten): a node before it averages over one axis"),
        (f"m = ReduceMean<axes = [1]>(x) h = Mul(x, m) {END}", "node h (Mul): it computes with a mean over one axis"),
        (f"p = GlobalAveragePool(x) e = Expand(p, big) h = Relu(e) {END}", "node h (Relu): a node before it repeats"),
        (f"h = Expand(x, big) {END}", "node h (Expand): it repeats (1, 4, 8, 8) to [1, 4, 8, 8], and hwnas only reads"),
        (f"h = Gather<axis = 1>(x, half_a_batch) {END}", "it takes more than one element of an axis"),
        (f"h = Resize(x, , , big) {END}", "node h (Resize): it resizes, and hwnas resizes images itself; export"),
        (
            f"h = Pow(x, powers) {END}",
            "its constant is (4, 1, 1), and hwnas reads this operator only with a single number",
        ),
        (
            f"i = Cast<to = 7>(x) h = Cast<to = 1>(i) {END}",
            "node i (Cast): it casts a feature map to numbers that are not real",
        ),
        ("f = Reshape<allowzero = 1>(x, nothing) y = Flatten(f)", "it makes [0, 256] of (1, 4, 8, 8)"),
        ("f = Reshape(x, scalar) y = Flatten(f)", "it makes [] of (1, 4, 8, 8)"),
        ("f = Flatten(x) y = Gemm(f, w, b)", "its bias is (4,), not one number per output"),
        *(
            (
                f"p = GlobalAveragePool(x) f = Flatten(p) y = {operator}(f, w)",
                f"node y ({operator}): its weight is for 256 numbers, and with an image of 8 x 8 it gets 4; export the",
            )
            for operator in ("Gemm", "MatMul")
        ),
        (
            "r = Reshape(x, half_a_batch) y = Flatten(r)",
            "the batch must stay the first axis; write that layer with the",
        ),
    ],
)
def test_what_cannot_be_read_is_named(body: str, words: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "nothing": np.array([0, -1]),
        "half_a_batch": np.array([2, -1]),
        "scalar": np.array([], np.int64),
        "big": np.array([1, 4, 8, 8]),
    }
    path = written(tmp_path / "x.onnx", body, **arrays, powers=(4, 1, 1), w=(256, 5), b=(4,), filters=(4, 3, 1, 1))
    with pytest.raises(SupernetError) as caught:
        read_network(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"op_type": "LSTM"}, r"node late \(LSTM\): it is recurrent, .*; pass one without it"),
        ({"op_type": "ArgMax"}, r"late \(ArgMax\): it chooses among the classes, .*; export the network without it"),
        ({"op_type": "DequantizeLinear"}, r"\(DequantizeLinear\): the network is quantised already, .* before; --prec"),
        (
            {"op_type": "Relu", "domain": "my.own"},
            r"node late \(Relu\): it is an operator of my.own, .*; export the network as it was trained, not optimised",
        ),
    ],
)
def test_what_can_never_be_read_is_told_before_what_only_leads_to_it(
    node: dict[str, str], words: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.onnx", f"t = Transpose<perm = [1, 0, 2, 3]>(x) h = Relu(t) {END}")
    model = onnx.load(path)
    model.graph.node.append(helper.make_node(inputs=["h"], outputs=["late"], name="late", **node))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SupernetError, match=words):
        read_network(path)


def test_control_flow_is_named(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["t"])], "body", [], [helper.make_empty_tensor_value_info("t")]
    )
    path = written(tmp_path / "x.onnx", END.replace("h", "x"))
    model = onnx.load(path)
    node = helper.make_node("If", ["flag"], ["h"], name="choose", then_branch=body, else_branch=body)
    model.graph.node.insert(0, node)
    model.graph.initializer.append(helper.make_tensor("flag", TensorProto.BOOL, [], [True]))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SupernetError, match=r"node choose \(If\): it is control flow"):
        read_network(path)


@pytest.mark.parametrize(
    ("inputs", "outputs_", "words"),
    [
        ("float[N,4,8,8] x, float[N,4,8,8] z", "float[N,C] y", "and it has x, z; export it with one"),
        ("float[N,4,8,8] x", "float[N,C] y, float[N,C] p", "it has 2 outputs (y, p)"),
        ("int64[N,4,8,8] x", "float[N,C] y", "its input x is int64"),
        ("float[N,4] x", "float[N,C] y", "not float of batch, channels, height, width"),
        ("float x", "float[N,C] y", "its input x is float of no known shape, not float of batch"),
    ],
)
def test_inputs_and_outputs_that_no_classifier_of_images_has(
    inputs: str, outputs_: str, words: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.onnx", f"h = Relu(x) {END}", inputs=inputs, outputs=outputs_)
    with pytest.raises(SupernetError) as caught:
        read_network(path)
    assert words in str(caught.value)


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


def test_files_that_are_no_networks(tmp_path: Path) -> None:
    for content, words in ((None, "no such file"), (b"", "no nodes"), (b"\xff\xff not onnx", "cannot be read as ONNX")):
        path = tmp_path / "x.onnx"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SupernetError, match=words):
            read_network(path)
    with pytest.raises(SupernetError, match=r"it cannot be read \(Is a directory\); correct the path"):
        read_network(tmp_path)


def test_weights_beside_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "x.onnx", f"h = Conv(x, w) {END}", w=(40, 4, 3, 3))
    plain = read_network(path)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="x.data", size_threshold=0)
    np.testing.assert_array_equal(read_network(path).weights[0]["weight"], plain.weights[0]["weight"])
    (tmp_path / "x.data").unlink()
    with pytest.raises(SupernetError, match=r"its weights are in x\.data, which is not beside it; put x\.data into"):
        read_network(path)
