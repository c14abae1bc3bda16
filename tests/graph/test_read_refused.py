"""What cannot be read of ONNX files: one line that names the node, the rule and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwnas.errors import SupernetError
from hwnas.graph.read import read_network
from tests.graph.files import AROUND, END, POOL, written


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"h = ConvTranspose(x, w) {END}", "node h (ConvTranspose): hwnas cannot read this operator; it reads Abs"),
        (f"h = Celu<alpha = 2.0>(x) {END}", "node h (Celu): Celu is no activation that hwnas knows"),
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
            f'a = Pad<mode = "wrap">(x, pads) h = Conv(a, filters) {END}',
            "node a (Pad): it pads by wrap, and hwnas reads padding by numbers, reflect and edge; pad with zeros",
        ),
        ("m = ReduceMean<axes = [2]>(x) y = Flatten(m)", "node y (Flatten): a node before it averages over one axis"),
        (f"m = ReduceMean<axes = [1]>(x) h = Mul(x, m) {END}", "node h (Mul): it computes with a mean over one axis"),
        (f"p = GlobalAveragePool(x) e = Expand(p, big) h = Relu(e) {END}", "node h (Relu): a node before it repeats"),
        (f"h = Expand(x, big) {END}", "node h (Expand): it repeats (1, 4, 8, 8) to [1, 4, 8, 8], and hwnas only reads"),
        (f"h = Gather<axis = 1>(x, half_a_batch) {END}", "it takes more than one element of an axis"),
        (
            f"h = Resize(x, , , big) {END}",
            "node h (Resize): it resizes the image, and hwnas resizes images itself; export",
        ),
        (
            f"a = Relu(x) h = Resize(a, , halves) {END}",
            "it makes a feature map 1.5 x 2 as large, and hwnas only reads whole",
        ),
        (
            f'a = Relu(x) h = Resize<mode = "cubic">(a, , doubles) {END}',
            "it resizes in another way (mode cubic) than nearest, or linear with half_pixel or align_corners; export it",
        ),
        (
            "h = ReduceL2<axes = [1]>(x) y = Flatten(h)",
            "hwnas only reads the length of each channel over a feature map",
        ),
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
        "halves": np.array([1, 1, 1.5, 2]),
        "doubles": np.array([1, 1, 2.0, 2.0]),
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


def test_files_that_are_no_networks(tmp_path: Path) -> None:
    for content, words in ((None, "no such file"), (b"", "no nodes"), (b"\xff\xff not onnx", "cannot be read as ONNX")):
        path = tmp_path / "x.onnx"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SupernetError, match=words):
            read_network(path)
    with pytest.raises(SupernetError, match=r"it cannot be read \(Is a directory\); correct the path"):
        read_network(tmp_path)
