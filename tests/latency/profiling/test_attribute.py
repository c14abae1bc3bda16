"""Nodes to layers, on names that onnxruntime 1.32 gave on a CPU with blocked layouts."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.graph import network_model
from hwnas.latency import get_device
from hwnas.latency.profiling._attribute import attribute
from hwnas.latency.timing._loop import node_times
from hwnas.latency.timing._runtime import OnnxRuntime
from hwnas.space import get_space

RECORDED = [
    ("blocks.4/project_nchwc", "blocks.4"),
    ("blocks.5/expand.relu_nchwc", "blocks.5"),
    ("blocks.5/depthwise.relu_nchwc", "blocks.5"),
    ("ReorderOutput_token_285", "blocks.5"),
    ("blocks.5/se.pool", "blocks.5"),
    ("ReorderInput", "blocks.5"),
    ("blocks.5/se.reduce.relu_nchwc", "blocks.5"),
    ("blocks.5/se.expand.hsigmoid_nchwc", "blocks.5"),
    ("ReorderOutput_token_273", "blocks.5"),
    ("blocks.5/se.scale", "blocks.5"),
    ("ReorderInput_token_77", "blocks.5"),
    ("blocks.5/project_nchwc", "blocks.5"),
    ("feature_mix_layer/conv_nchwc", "feature_mix_layer"),
    ("ReorderOutput_token_280", "feature_mix_layer"),
    ("classifier/flatten", "classifier"),
    ("classifier/linear", "classifier"),
]
SLOTS = ["blocks.4", "blocks.5", "feature_mix_layer", "classifier"]


def test_recorded_names() -> None:
    assert attribute([node for node, _ in RECORDED], SLOTS) == [slot for _, slot in RECORDED]


def test_a_reorder_between_layers_goes_to_the_one_that_needs_it() -> None:
    assert attribute(["a/conv", "ReorderInput", "b/conv"], ["a", "b"]) == ["a", "b", "b"]
    assert attribute(["a/conv", "ReorderOutput", "b/conv"], ["a", "b"]) == ["a", "a", "b"]
    assert attribute(["ReorderInput", "a/conv", "ReorderOutput_3"], ["a"]) == ["a", "a", "a"]
    assert attribute(["ReorderOutput", "a/conv", "Cast_1"], ["a"]) == ["a", "a", "a"]


def test_a_residual_that_is_fused_with_a_norm_ends_its_layer() -> None:
    assert attribute(["a/map", "SkipLayerNormalization_token_3", "b/map"], ["a", "b"]) == ["a", "a", "b"]
    assert attribute(["a/map", "BiasGelu", "a/out", "b/map"], ["a", "b"]) == ["a", "a", "a", "b"]


MIXED = [
    ("blocks.1/project_token_151", "blocks.1"),
    ("blocks.1_to_blocks.2/convert/DequantizeLinear/duplicated", "blocks.1_to_blocks.2"),
    ("Transpose_token_394", "blocks.1_to_blocks.2"),
    ("QuantizeLinear", "blocks.1_to_blocks.2"),
    ("blocks.1_to_blocks.2/convert/DequantizeLinear", "blocks.1_to_blocks.2"),
    ("ReorderInput", "blocks.2"),
    ("blocks.2/project_nchwc", "blocks.2"),
    ("ReorderOutput_token_120", "blocks.2"),
    ("blocks.1_to_blocks.2/convert/DequantizeLinear/duplicated", "blocks.2"),
    ("blocks.2/residual", "blocks.2"),
    ("ReorderOutput_token_121", "blocks.2_to_mix"),
    ("blocks.2_to_mix/convert/QuantizeLinear", "blocks.2_to_mix"),
    ("Transpose", "mix"),
    ("mix/conv_token_273", "mix"),
    ("HardSigmoid_380", "mix"),
    ("Mul_381", "mix"),
    ("classifier/linear", "classifier"),
]
"""onnxruntime 1.32 on integers beside real numbers."""


def test_what_a_conversion_needs_is_part_of_it_and_copies_for_a_second_reader_are_that_reader_s() -> None:
    slots = list(dict.fromkeys(slot for _, slot in MIXED))
    owners = attribute([node for node, _ in MIXED], slots, ["blocks.1_to_blocks.2", "blocks.2_to_mix"])
    assert owners == [slot for _, slot in MIXED]


def test_fused_nodes_go_to_their_first_layer_and_like_names_are_told_apart() -> None:
    assert attribute(["fused blocks.1/conv blocks.2/add", "blocks.2/x", "blocks.12/x"], ["blocks.1", "blocks.2", "blocks.12"]) == [
        "blocks.1",
        "blocks.2",
        "blocks.12",
    ]  # fmt: skip


def test_a_profile_that_hides_a_layer_is_no_use() -> None:
    assert attribute(["whole_graph_0"], SLOTS) is None
    assert attribute(["a/conv"], ["a", "b"]) is None


def test_node_times_are_split_into_runs() -> None:
    events = [
        {"cat": "Session", "name": "model_loading", "ts": 1, "dur": 9},
        {"cat": "Node", "name": "b_kernel_time", "ts": 25, "dur": 4},
        {"cat": "Node", "name": "a_kernel_time", "ts": 21, "dur": 3},
        {"cat": "Node", "name": "a_fence_before", "ts": 20, "dur": 3},
        {"cat": "Session", "name": "model_run", "ts": 20, "dur": 10},
        {"cat": "Session", "name": "model_run", "ts": 40, "dur": 10},
        {"cat": "Node", "name": "a_kernel_time", "ts": 41, "dur": 5},
    ]
    assert node_times(events) == [[("a", 3.0), ("b", 4.0)], [("a", 5.0)]]


QUANTIZED = [
    ("first_conv/conv_nchwc", "first_conv"),
    ("ReorderOutput_token_9", "first_conv"),
    ("first_conv/conv.hswish/QuantizeLinear", "first_conv"),
    ("Transpose", "blocks.0"),
    ("blocks.0/depthwise_token_27", "blocks.0"),
    ("blocks.0/residual", "blocks.0"),
    ("blocks.9/expand_token_119", "blocks.9"),
    ("blocks.9/expand/DequantizeLinear", "blocks.9"),
    ("HardSigmoid_552", "blocks.9"),
    ("Mul_553", "blocks.9"),
    ("blocks.9/expand.hswish/QuantizeLinear", "blocks.9"),
    ("blocks.9/project_token_129", "blocks.9"),
    ("Transpose_token_4", "classifier"),
    ("classifier/linear_token_9", "classifier"),
]


def test_recorded_names_of_integer_kernels() -> None:
    slots = ["first_conv", "blocks.0", "blocks.9", "classifier"]
    assert attribute([node for node, _ in QUANTIZED], slots) == [slot for _, slot in QUANTIZED]


@pytest.mark.parametrize("name", ["ofa_mbv3_w1.0", "ofa_resnet50"])
def test_int8_profiles_show_every_layer(name: str) -> None:
    space = get_space(name).restrict(r=128)
    network = space.network(space.sample(1, np.random.default_rng(0))[0])
    session = OnnxRuntime(get_device("cpu")).profiled(network_model(network, precision="int8"))
    session.run()
    (run,) = session.finish()
    assert attribute([node for node, _ in run], [slot for slot, _ in network]) is not None
