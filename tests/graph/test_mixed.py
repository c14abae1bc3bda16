"""Networks whose layers have precisions of their own, as one graph."""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from hwnas.errors import SpaceError, UnknownNameError
from hwnas.graph import (
    activation_ranges,
    build_model,
    in_precision,
    mixed_space,
    network_model,
    parse_precision,
    random_feeds,
    size_cost,
)
from hwnas.latency.profiling._attribute import attribute
from hwnas.space import Network, OpList, Population, SearchSpace, get_space
from hwnas.space.ops import Conv, Convert
from hwnas.supernet.hf._encoder import Encoder, Head, encoder_space
from hwnas.supernet.hf._inputs import TextInput

BOTH = "fp32+int8"


def smallest(space: SearchSpace) -> SearchSpace:
    return next(mixed_space(space, BOTH).by_input())


def encoder() -> SearchSpace:
    whole = Encoder(3, 4, 32, 64, "gelu", 1e-12, False, Head("mean"), 5)
    return encoder_space("toy", whole, TextInput(200, 32, 2, (8, 16)))


def rows(space: SearchSpace, n: int) -> Population:
    return space.sample(n, np.random.default_rng(0))


def ran(model: onnx.ModelProto, feeds: Any, folder: Path) -> tuple[Any, list[str], collections.Counter[str]]:
    """Logits, and the names and the operators of the kernels that ran."""
    options = ort.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.enable_profiling, options.profile_file_prefix = True, str(folder / "p")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], feeds)[0]
    events = json.loads(Path(session.end_profiling()).read_text())
    kernels = [e for e in events if e["name"].endswith("_kernel_time")]
    names = [e["name"].removesuffix("_kernel_time") for e in kernels]
    return logits, names, collections.Counter(e["args"]["op_name"] for e in kernels)


def exported(network: Network, feeds: Any) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    plain = build_model(network)
    mixed = in_precision(plain, BOTH, activation_ranges(plain, [feeds]))
    onnx.checker.check_model(mixed, full_check=True)
    return plain, mixed


@pytest.mark.parametrize(
    "space", [get_space("digits"), get_space("ofa_resnet50").restrict(d=0, w=0, e=0.2)], ids=["digits", "ofa_resnet50"]
)
def test_each_layer_computes_in_its_precision_and_the_runtime_tells_whose_each_node_is(
    space: SearchSpace, tmp_path: Path
) -> None:
    space = smallest(space)
    for row in rows(space, 2):
        network = space.network(row)
        feeds = random_feeds(network, 2)
        plain, mixed = exported(network, feeds)
        expected, found = ran(plain, feeds, tmp_path)[0], ran(mixed, feeds, tmp_path)
        assert np.linalg.norm(found[0] - expected) < 0.1 * np.linalg.norm(expected)
        convolutions = collections.Counter(
            layer.precision if op.groups > 1 or op.in_shape[0] >= 4 else "fp32"
            for _, layer in network
            for op in layer.ops
            if isinstance(op, Conv)
        )
        assert found[2]["QLinearConv"] == convolutions["int8"]
        assert found[2]["Conv"] == convolutions["fp32"]
        slots = [slot for slot, _ in network]
        boundaries = [slot for slot, layer in network if isinstance(layer.ops[0], Convert)]
        assert boundaries
        assert attribute(found[1], slots, boundaries) is not None
        assert {slot for slot in boundaries if not any(n.startswith(f"{slot}/") for n in found[1])} <= {
            slot for slot in boundaries if "max_pooling" in slot
        }, "a conversion is a node of its own, unless the runtime moves it past a pooling"


def test_products_of_sequences_round_their_input_as_it_comes(tmp_path: Path) -> None:
    space = smallest(encoder())
    for row in rows(space, 3):
        network = space.network(row)
        feeds = random_feeds(network, 2)
        plain, mixed = exported(network, feeds)
        expected, found = ran(plain, feeds, tmp_path)[0], ran(mixed, feeds, tmp_path)
        assert np.linalg.norm(found[0] - expected) < 0.1 * np.linalg.norm(expected)
        layers = sum(slot.startswith("layer") and layer.precision == "int8" for slot, layer in network)
        # Query, key and value share one quantisation, and attention itself has no constants to quantise.
        assert found[2]["MatMulIntegerToFloat"] + found[2]["DynamicQuantizeMatMul"] == 6 * layers
        assert found[2]["DynamicQuantizeLinear"] == layers
        assert attribute(found[1], [slot for slot, _ in network]) is not None


def test_the_graph_that_is_profiled_is_the_graph_that_is_exported() -> None:
    space = smallest(get_space("digits"))
    network = space.network(rows(space, 1)[0])
    _, mixed = exported(network, random_feeds(network, 2))
    timed = onnx.load_model_from_string(network_model(network, precision=BOTH).content)

    def shape(model: onnx.ModelProto) -> list[Any]:
        return [(n.name, n.op_type, list(n.input), list(n.output)) for n in model.graph.node]

    assert shape(timed) == shape(mixed)


@pytest.mark.parametrize("policy", ["fp32", "int8"])
def test_one_precision_everywhere_is_the_graph_of_that_precision(policy: str) -> None:
    plain, mixed = next(get_space("digits").by_input()), smallest(get_space("digits")).restrict(q=policy)
    row = rows(mixed, 1)[0]
    ours = onnx.load_model_from_string(network_model(mixed.network(row), precision=BOTH).content)
    theirs = onnx.load_model_from_string(network_model(plain.network(row[: plain.n_genes]), precision=policy).content)

    def kinds(model: onnx.ModelProto) -> collections.Counter[str]:
        return collections.Counter(n.op_type for n in model.graph.node if n.op_type != "Identity")

    assert kinds(ours) == kinds(theirs)


@pytest.mark.parametrize("space", [get_space("digits"), encoder()], ids=["digits", "encoder"])
def test_the_size_of_the_file_is_a_sum_over_layers(space: SearchSpace) -> None:
    mixed = smallest(space)
    for part in (mixed.restrict(q="fp32"), mixed.restrict(q="int8"), mixed):
        x = rows(part, 4)
        for row, size in zip(x, size_cost(part)(x), strict=True):
            written = in_precision(build_model(mixed.network(row)), BOTH).ByteSize()
            assert abs(size - written) < 0.01 * written + 1000
    plain = next(space.by_input())
    for precision in ("fp32", "int8", "fp16"):
        (row,) = rows(plain, 1)
        written = in_precision(build_model(plain.network(row)), precision).ByteSize()
        assert abs(size_cost(plain, precision)(row[None])[0] - written) < 0.01 * written + 1000


def test_precisions_are_read_in_any_order_and_fp16_does_not_mix() -> None:
    assert parse_precision("int8") == "int8"
    assert parse_precision("int8,fp32") == parse_precision("fp32+int8") == parse_precision("fp32, int8, int8") == BOTH
    assert parse_precision("int4,fp32") == "fp32+int4"
    with pytest.raises(UnknownNameError, match=r"precision 'int2'"):
        parse_precision("fp32,int2")
    with pytest.raises(SpaceError, match="layers of one network may be fp32, int8, int4"):
        parse_precision("fp32,fp16")


def test_integers_are_never_left_unfinished_at_a_boundary() -> None:
    """A convolution whose activation ends an int8 layer keeps its range, though real numbers are read behind it."""
    first, last = OpList((4, 8, 8)), OpList((4, 8, 8))
    first.conv("conv", 0, 4, 3, act="relu")
    last.linear("linear", last.flatten("flatten", last.act("act", 0, "tanh")), 3)
    network = [("a", first.layer("a").in_precision("int8")), ("b", last.layer("b").in_precision("fp32"))]
    model = network_model(network, precision=BOTH)
    names = [node.name for node in onnx.load_model_from_string(model.content).graph.node]
    assert "a/conv.relu/QuantizeLinear" in names
