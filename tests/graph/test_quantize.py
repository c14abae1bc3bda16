import collections
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from hwnas.errors import DataError
from hwnas.graph import activation_ranges, build_model, in_precision
from hwnas.graph._quantize import scale_and_zero
from hwnas.space import Network, get_space


def network(name: str, seed: int = 0) -> Network:
    """A random subnet, small where the space has a choice."""
    space = get_space(name)
    space = next(space.by_input())
    return space.network(space.sample(1, np.random.default_rng(seed))[0])


def image(network: Network, seed: int = 0, n: int = 1) -> Any:
    return np.random.default_rng(seed).standard_normal((n, *network[0][1].input_shape), dtype=np.float32)


def logits(model: onnx.ModelProto, x: Any) -> Any:
    options = ort.SessionOptions()
    # Without it, sums of uint8 times int8 saturate on x86 CPUs that have no VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input": x})[0]


def distance(a: Any, b: Any) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.parametrize(
    ("name", "limit"),
    # Random weights let rounding errors add up more than trained ones do.
    [("ofa_mbv3_w1.0", 0.5), ("ofa_proxyless_w1.3", 0.25), ("ofa_resnet50", 0.1), ("digits", 0.05)],
)
def test_int8_does_what_fp32_does_with_integer_kernels_alone(name: str, limit: float, tmp_path: Path) -> None:
    net = network(name)
    model = build_model(net)
    x = image(net)
    integer = in_precision(model, "int8", activation_ranges(model, [x]))
    onnx.checker.check_model(integer)
    assert distance(logits(integer, x), logits(model, x)) < limit

    options = ort.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "p")
    session = ort.InferenceSession(integer.SerializeToString(), options, providers=["CPUExecutionProvider"])
    session.run(None, {"input": x})
    events = json.loads(Path(session.end_profiling()).read_text())
    ran = collections.Counter(e["args"]["op_name"] for e in events if e["name"].endswith("_kernel_time"))
    convolutions = sum(node.op_type == "Conv" for node in model.graph.node)
    assert ran["Conv"] == 1, "the first, of three channels"
    assert ran["QLinearConv"] == convolutions - 1
    assert ran["QGemm"] == 1
    assert not {"Relu", "Clip", "Add", "MaxPool", "GlobalAveragePool"} & ran.keys()


def test_the_graph_does_not_depend_on_the_ranges() -> None:
    net = network("ofa_resnet50")
    model = build_model(net)
    before = model.SerializeToString()
    timed = in_precision(model, "int8")
    exported = in_precision(model, "int8", activation_ranges(model, [image(net)]))
    assert model.SerializeToString() == before

    def shape(model: onnx.ModelProto) -> list[Any]:
        return [(n.name, n.op_type, list(n.input), list(n.output)) for n in model.graph.node]

    assert shape(timed) == shape(exported)
    assert {n.name for n in model.graph.node} <= {n.name for n in timed.graph.node}


class Images(CalibrationDataReader):
    def __init__(self, batches: list[Any]) -> None:
        self.batches = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"input": batch}


def test_as_near_to_fp32_as_onnxruntime_quantizes(tmp_path: Path) -> None:
    net = network("digits")
    model = build_model(net)
    batches = [image(net, n=32)]
    ours = in_precision(model, "int8", activation_ranges(model, batches))
    onnx.save(model, tmp_path / "fp32.onnx")
    quantize_static(
        tmp_path / "fp32.onnx",
        tmp_path / "int8.onnx",
        Images(batches),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=[model.graph.node[0].name],
    )
    theirs = onnx.load(tmp_path / "int8.onnx")
    x = image(net, 9, n=16)
    expected = logits(model, x)
    assert distance(logits(ours, x), expected) < 1.1 * distance(logits(theirs, x), expected)

    def weights(model: onnx.ModelProto) -> list[tuple[int, ...]]:
        return sorted(tuple(t.dims) for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT8 and t.dims)

    assert [w for w in weights(ours) if len(w) > 1] == [w for w in weights(theirs) if len(w) > 1]


@settings(deadline=None)
@given(
    st.floats(-1e4, 1e4, allow_nan=False, width=32), st.floats(-1e4, 1e4, allow_nan=False, width=32), st.floats(0, 1)
)
def test_a_range_is_covered_and_zero_is_exact(a: float, b: float, share: float) -> None:
    low, high = min(a, b), max(a, b)
    scale, zero = scale_and_zero(low, high)
    assert scale > 0
    value = min(low, 0.0) + share * (max(high, 0.0) - min(low, 0.0))
    step = np.clip(np.rint(value / scale) + zero, 0, 255)
    assert abs((step - zero) * scale - value) <= 1.01 * scale
    if low >= 0:
        assert zero == 0
        assert high < 1e-20 or np.float32(255) * scale <= high


def test_a_channel_of_tiny_weights_keeps_its_bias() -> None:
    net = network("digits")
    random = build_model(net)
    weights = {t.name: onnx.numpy_helper.to_array(t).copy() for t in random.graph.initializer}
    name = next(node.name for node in random.graph.node[1:] if node.op_type == "Conv")
    weights[f"{name}.weight"][0] = 1e-12
    weights[f"{name}.bias"][0] = 1.0
    model = build_model(net, weights=weights)
    x = image(net, n=4)
    integer = in_precision(model, "int8", activation_ranges(model, [x]))
    assert distance(logits(integer, x), logits(model, x)) < 0.05


def test_half_computes_in_fp16_between_fp32_ends() -> None:
    net = network("digits")
    model = build_model(net, metadata={"a": "b"})
    half = in_precision(model, "fp16")
    onnx.checker.check_model(half)
    assert {t.data_type for t in half.graph.initializer} == {onnx.TensorProto.FLOAT16}
    assert [p.value for p in half.metadata_props] == ["b"]
    x = image(net, n=3)
    found = logits(half, x)
    assert found.dtype == np.float32
    assert distance(found, logits(model, x)) < 0.01


def test_parts_of_a_batch_have_its_ranges() -> None:
    """The ends of a batch are those of its parts that reach furthest, and batches are averaged."""
    net = network("digits")
    model, first, second = build_model(net), image(net, n=6), image(net, seed=1, n=3)
    in_parts = activation_ranges(model, [[first[:1], first[1:4], first[4:]], second])
    whole, one, other = (activation_ranges(model, batches) for batches in ([first, second], [first], [second]))
    for name, ends in whole.items():
        np.testing.assert_allclose(in_parts[name], ends, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ends, np.mean([one[name], other[name]], axis=0), rtol=1e-5, atol=1e-6)


def test_ranges_need_images_and_finite_activations() -> None:
    net = network("digits")
    model = build_model(net)
    with pytest.raises(DataError, match="no images"):
        activation_ranges(model, [])
    with pytest.raises(DataError, match="not finite"):
        activation_ranges(model, [image(net) * np.float32(np.nan)])
