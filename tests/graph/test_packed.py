"""Weights in four bits: values, file size, and mixing with other precisions."""

from __future__ import annotations

import collections

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from hwnas.errors import DeviceError, SpaceError
from hwnas.graph import (
    activation_ranges,
    build_model,
    in_precision,
    mixed_space,
    parse_precision,
    random_feeds,
    size_cost,
)
from hwnas.graph._packed import in_bytes, in_few_bits, of_few_bits
from hwnas.latency import check_precision, get_device
from hwnas.space import SearchSpace, get_space
from tests.graph.test_mixed import encoder, rows

ALL = "fp32+int8+int4"


def logits(model: onnx.ModelProto, feeds: object) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(["logits"], feeds)[0]
    return found


def unpacked(weight: np.ndarray) -> np.ndarray:
    """What is left of a weight, read off the bytes."""
    each, scales = in_few_bits(weight, 4)
    pairs = in_bytes(each, 4)
    integers = np.stack([pairs & 15, pairs >> 4], axis=-1).reshape(*scales.shape, 32).astype(np.float32)
    return ((integers - 8) * scales[..., None]).reshape(len(weight), -1)[:, : weight.shape[1]]


@pytest.mark.parametrize("shape", [(5, 32), (3, 40), (4, 7)])
def test_a_weight_is_off_by_half_a_step_at_most(shape: tuple[int, int]) -> None:
    weight = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    weight[1] = 0
    step = np.abs(in_few_bits(weight, 4)[1]).repeat(32, axis=1)[:, : shape[1]]
    # One end of the range has one number less than the other: there the error is a step at most.
    assert (np.abs(unpacked(weight) - weight) <= step * (1 + 1e-6)).all()
    assert np.median(np.abs(unpacked(weight) - weight) / step) < 0.5
    assert not unpacked(weight)[1].any()
    np.testing.assert_array_equal(of_few_bits(weight, 4), unpacked(weight))
    assert np.abs(of_few_bits(weight, 8) - weight).max() <= np.abs(in_few_bits(weight, 8)[1]).max() * (1 + 1e-6)


def test_the_whole_network_computes_what_its_unpacked_weights_say() -> None:
    network = encoder().network(rows(encoder(), 1)[0])
    plain = build_model(network)
    packed = in_precision(plain, "int4")
    onnx.checker.check_model(packed)
    counted = collections.Counter(node.op_type for node in packed.graph.node)
    assert counted["GatherBlockQuantized"] == 2  # words and types: positions are sliced
    assert counted["MatMulNBits"] == sum(
        n.op_type in ("Gemm", "MatMul") and bool(n.doc_string) for n in plain.graph.node
    )
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in plain.graph.initializer}
    for node in plain.graph.node:
        at = {"MatMul": 1, "Gemm": 1, "Gather": 0}.get(node.op_type)
        if at is not None and node.doc_string and node.input[at] in constants:
            name, turned = node.input[at], node.op_type == "MatMul"
            left = unpacked(constants[name].T if turned else constants[name])
            constants[name] = left.T if turned else left
    told = build_model(network)
    del told.graph.initializer[:]
    told.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.ascontiguousarray(v), n) for n, v in constants.items()
    )
    feeds = random_feeds(network, 3)
    expected, found = logits(told, feeds), logits(packed, feeds)
    assert np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)  # activations are of eight bits
    assert np.linalg.norm(logits(plain, feeds) - expected) > 0.03 * np.linalg.norm(expected)


@pytest.mark.parametrize("space", [encoder(), get_space("digits").restrict(r=16)], ids=["encoder", "digits"])
def test_layers_mix_and_files_are_as_large_as_told(space: SearchSpace) -> None:
    mixed = mixed_space(space, ALL)
    assert mixed.precisions == ("fp32", "int8", "int4")
    for row in rows(mixed, 3):
        network = mixed.network(row)
        plain, feeds = build_model(network), random_feeds(network, 2)
        model = in_precision(plain, ALL, activation_ranges(plain, [feeds]))
        onnx.checker.check_model(model)
        assert np.isfinite(logits(model, feeds)).all()
        assert size_cost(mixed)(row[None])[0] == pytest.approx(len(model.SerializeToString()), rel=0.03, abs=2500)
        packed = {n.name.partition("/")[0] for n in model.graph.node if n.domain == "com.microsoft"}
        assert packed == {slot for slot, layer in network if layer.precision == "int4"}


def test_convolutions_have_no_such_choice_and_a_network_of_them_is_refused() -> None:
    mixed = mixed_space(get_space("digits"), ALL)
    choices = [gene.choices for gene in mixed.genes if gene.role == "precision"]
    assert choices[-1] == ("fp32", "int8", "int4")
    assert set(choices[:-1]) == {("fp32", "int8")}
    weightless = get_space("digits")
    body = SearchSpace("body", weightless.genes, weightless.slots[:-1])
    with pytest.raises(SpaceError, match=r"none of its layers changes in int4.*search it in fp32,int8"):
        mixed_space(body, ALL)


def test_a_provider_without_it_says_so() -> None:
    check_precision(get_device("cpu"), parse_precision("int4,fp32"))
    with pytest.raises(DeviceError, match="computes in fp32 and int8"):
        check_precision(get_device("cpu"), parse_precision("fp16"))
