"""What onnxruntime cannot do is told in one line, and what it does elsewhere is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwnas.errors import DeviceError
from hwnas.graph import Model, network_model
from hwnas.latency import bundled_device, get_device
from hwnas.latency.timing._runtime import OnnxRuntime, strays
from tests.latency.fakes import tiny_space

SPACE = tiny_space()
NETWORK = SPACE.network(SPACE.sample(1, np.random.default_rng(0))[0])
MODEL = network_model(NETWORK)
CPU = get_device("cpu")


def _model(node: onnx.NodeProto, kind: int, *initializers: onnx.TensorProto) -> onnx.ModelProto:
    shape = [1, *NETWORK[0][1].input_shape]
    ends = [helper.make_tensor_value_info(name, kind, s) for name, s in (("input", shape), ("logits", None))]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _no_kernel() -> onnx.ModelProto:
    """onnxruntime's CPU provider has no HardSwish of 64 bits."""
    return _model(helper.make_node("HardSigmoid", ["input"], ["logits"], name="blocks.3/act"), TensorProto.DOUBLE)


def _fails_when_run() -> onnx.ModelProto:
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [7])
    node = helper.make_node("Reshape", ["input", "shape"], ["logits"], name="blocks.3/flat")
    return _model(node, TensorProto.FLOAT, shape)


@pytest.mark.parametrize(
    ("model", "what"),
    [(_no_kernel, r"fails on HardSigmoid \(blocks.3/act\)"), (_fails_when_run, r"fails on Reshape \(blocks.3/flat\)")],
)
def test_the_operator_that_fails_is_named_in_one_line(model: Callable[[], onnx.ModelProto], what: str) -> None:
    with pytest.raises(DeviceError, match=f"CPUExecutionProvider {what}") as error:
        OnnxRuntime(CPU).session(Model.of(model())).run()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 5 PiB"), RuntimeError("Failed to allocate memory")])
def test_too_little_memory_says_what_takes_less(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def feed(_: Model) -> None:
        raise error

    monkeypatch.setattr(Model, "feed", feed)
    with pytest.raises(DeviceError, match=r"its memory is too small: .*; take a smaller --batch"):
        OnnxRuntime(CPU).session(MODEL)


def test_nodes_on_another_provider_are_found_in_a_profile() -> None:
    session = OnnxRuntime(CPU).profiled(MODEL)
    session.run()
    session.run()
    events = session.events()
    assert strays(events, "CPUExecutionProvider") == {}
    found = strays(events, "XnnpackExecutionProvider")
    assert found["Gemm"] == 1
    assert sum(found.values()) == len({e["name"] for e in events if e.get("cat") == "Node"})


def test_the_cpu_has_nowhere_to_fall_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnnxRuntime, "profiled", lambda *_: pytest.fail("it was run"))
    assert OnnxRuntime(CPU).elsewhere(MODEL) == {}


def test_a_provider_is_run_once_to_see_where_its_nodes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    placed = [("conv", "Conv", "CUDAExecutionProvider"), ("a", "Resize", "CPUExecutionProvider")]
    events = [
        {"cat": "Node", "name": f"{name}_kernel_time", "args": {"op_name": op, "provider": provider}}
        for name, op, provider in placed
    ]
    fake: Any = SimpleNamespace(run=lambda: runs.append(1), events=lambda: events)
    monkeypatch.setattr(OnnxRuntime, "profiled", lambda *_: fake)
    preloaded: list[int] = []
    monkeypatch.setattr("onnxruntime.preload_dlls", lambda: preloaded.append(1), raising=False)
    device = replace(CPU, name="cuda", provider="CUDAExecutionProvider")
    assert OnnxRuntime(device).elsewhere(MODEL) == {"Resize": 1}
    assert runs == preloaded == [1]


@pytest.mark.parametrize(
    ("name", "precision", "kind"),
    [
        ("cuda", "fp16", TensorProto.FLOAT16),
        ("tensorrt:1", "fp16", TensorProto.FLOAT16),
        ("qnn", "int8", TensorProto.INT8),
    ],
)
def test_a_provider_gets_the_precision_it_was_asked_for(
    name: str, precision: str, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    device = bundled_device(name)

    def session(model: bytes, _: Any, providers: list[Any]) -> Any:
        given.update(model=onnx.load_from_string(model), providers=providers)
        fake_binding = SimpleNamespace(bind_ortvalue_input=lambda *_: None, bind_output=lambda *_: None)
        return SimpleNamespace(
            get_providers=lambda: [device.provider], get_outputs=list, io_binding=lambda: fake_binding
        )

    monkeypatch.setattr("onnxruntime.InferenceSession", session)
    monkeypatch.setattr("onnxruntime.preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr("onnxruntime.OrtValue.ortvalue_from_numpy", lambda value, *_: value)
    OnnxRuntime(device).session(network_model(NETWORK, precision=precision))
    assert given["providers"] == [(device.provider, dict(device.options)), "CPUExecutionProvider"]
    onnx.checker.check_model(given["model"])
    assert kind in {weight.data_type for weight in given["model"].graph.initializer}
    (first,) = given["model"].graph.input
    assert first.type.tensor_type.elem_type == TensorProto.FLOAT, "what is fed and read stays fp32"
