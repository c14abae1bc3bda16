"""Engines: onnxruntime against torch, and what is left to torch."""

from __future__ import annotations

import copy
import gc
import itertools
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hwnas.errors import UnknownNameError
from hwnas.graph import Segment, build_beside, build_model
from hwnas.space import LayerSpec, Network, OpList
from hwnas.space.ops import Op
from hwnas.supernet import Pass, Subnet, Supernet, evaluate, folded_weights, get_engine, recalibrate, run
from hwnas.supernet.engine import OnnxEngine, TorchEngine
from hwnas.supernet.engine._memory import allocation
from hwnas.supernet.engine._parts import opened
from hwnas.supernet.ops import normalisation
from hwnas.task import Score, Specs, ahead

SHAPE = (3, 20, 20)


def branching() -> Network:
    """What cutting at batch norms could get wrong: values that are read much later, branches, norms that stand alone."""
    ops = OpList(SHAPE)
    stem = ops.conv("stem", 0, 8, 3, 2, act="hswish")
    left = ops.conv("left", stem, 8, 1, act="relu")
    right = ops.conv("right", stem, 8, 3, groups=8)
    both = ops.concat("both", left, right)
    norm = ops.act("norm_act", ops.batch_norm("norm", both), "relu")
    plain = ops.conv("plain", norm, 8, 1, bn=False)
    added = ops.add("sum", plain, stem)
    last = ops.conv("last", added, 12, 3, 2, act="relu6")
    ops.linear("linear", ops.flatten("flat", ops.global_pool("pool", last)), 5)
    return [("net", LayerSpec("test", SHAPE, tuple(ops.ops)))]


def drawn(network: Network, seed: int = 0) -> Subnet:
    torch.manual_seed(seed)
    shapes = {
        f"{slot}/{op.name}.{part}": shape
        for slot, layer in network
        for op in layer.ops
        for part, shape in {**op.weights, **op.buffers}.items()
    }
    tensors = {n: torch.rand(s) + 0.1 if n.endswith("var") else torch.randn(s) / 3 for n, s in shapes.items()}
    return Subnet(network, tensors, {}, 1e-3)


def batches(*sizes: int) -> list[Tensor]:
    torch.manual_seed(7)
    return [torch.randn(n, *SHAPE) * (1 + i) + i for i, n in enumerate(sizes)]


def assert_same_statistics(found: Subnet, expected: Subnet) -> None:
    for name, tensor in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


def test_weights_beside_a_model_are_those_within_it_and_live_as_long_as_its_session():
    subnet, x = drawn(branching()), {"input": batches(9)[0].numpy()}
    model, beside = build_beside(subnet.network, folded_weights(subnet))
    whole = build_model(subnet.network, weights=folded_weights(subnet))
    kept = {tensor.name: tensor for tensor in whole.graph.initializer}
    assert {name: onnx.numpy_helper.to_array(kept[name]).tobytes() for name in beside} == {
        name: value.tobytes() for name, value in beside.items()
    }
    assert {
        tensor.name for tensor in model.graph.initializer if not tensor.external_data
    } == kept.keys() - beside.keys()
    assert beside.keys() < kept.keys()
    session = opened(model.SerializeToString(), beside)
    del beside, subnet
    gc.collect()
    (found,), (expected,) = (one.run(["logits"], x) for one in (session, opened(whole.SerializeToString())))
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("sizes", [(70,), (33, 32, 5), (1, 40)])
def test_onnxruntime_gathers_torchs_statistics_and_gives_its_logits(sizes: Sequence[int]):
    expected, found, engine = drawn(branching()), drawn(branching()), get_engine("onnxruntime")
    assert recalibrate(expected, batches(*sizes)) == engine.recalibrate(found, batches(*sizes)) == sum(sizes)
    assert_same_statistics(found, expected)
    x = batches(50)[0]
    with torch.no_grad():
        torch.testing.assert_close(engine.runner(found)(x), expected(x), rtol=1e-4, atol=1e-4)


def test_what_is_measured_does_not_depend_on_the_threads():
    engine, states, threads = get_engine("onnxruntime"), [], torch.get_num_threads()
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            subnet = drawn(branching())
            engine.recalibrate(subnet, batches(700, 90))
            states.append([*subnet.state_dict().values(), engine.runner(subnet)(batches(300)[0])])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_what_it_keeps_is_used_again_and_stays_in_its_process():
    engine = OnnxEngine()
    sizes = []
    for seed in (0, 1, 2):
        subnet, expected = drawn(branching(), seed), drawn(branching(), seed)
        engine.recalibrate(subnet, batches(40, 9))
        recalibrate(expected, batches(40, 9))
        assert_same_statistics(subnet, expected)
        sizes.append(engine._memory.n_bytes)
    assert sizes[0] == sizes[1] == sizes[2] > 0
    assert copy.deepcopy(engine)._memory.n_bytes == 0  # as another process gets it


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system tells resident memory otherwise")
def test_memory_stays_flat_from_subnet_to_subnet():
    engine, resident = OnnxEngine(), []
    for seed in range(30):
        subnet = drawn(branching(), seed)
        engine.recalibrate(subnet, batches(40))
        engine.runner(subnet)(batches(40)[0])
        resident.append(int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE)
    assert resident[-1] - resident[9] < 4 * 2**20


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 9), st.lists(st.integers(0, 9), max_size=2)), min_size=1, max_size=10))
def test_values_that_are_needed_at_the_same_time_do_not_overlap(drawn_sizes: list[tuple[int, list[int]]]):
    parts = [
        Segment(b"", [f"v{i - back}" for back in takes if back < i], [], {f"v{i}": (size,)}, "", f"v{i}", False)
        for i, (size, takes) in enumerate(drawn_sizes)
    ]
    places, most = allocation(parts), 0
    assert list(places) != []
    for i, part in enumerate(parts):
        alive = [p for j in range(i + 1) for name, p in places.items() if name in parts[j].gives and p.until >= i]
        spans = sorted((p.offset, p.end) for p in alive)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
        assert {*part.takes, *part.gives} <= {name for name, p in places.items() if p in alive}
        most = max(most, sum(end - start for start, end in spans))
    assert most <= max(p.end for p in places.values()) <= sum(p.end - p.offset for p in places.values())


def test_statistics_of_large_means_are_not_drowned():
    expected, found = drawn(branching()), drawn(branching())
    far = [batch + 300 for batch in batches(40, 40)]
    recalibrate(expected, far)
    get_engine("onnxruntime").recalibrate(found, far)
    variance = "net/stem.bn.running_var"
    torch.testing.assert_close(found.state_dict()[variance], expected.state_dict()[variance], rtol=1e-3, atol=0)


@dataclass(frozen=True)
class Doubled(Op):
    """An op of a plug-in that has no ONNX form."""


@run.register
def _doubled(op: Doubled, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return 2 * x[0]


@dataclass(frozen=True)
class NormAndMore(Op):
    """An op of a plug-in with a batch norm inside."""

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("weight", "bias"), self.in_shape[:1])

    @property
    def buffers(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("running_mean", "running_var"), self.in_shape[:1])


@run.register
def _norm_and_more(op: NormAndMore, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return normalisation.batch_norm(x[0], at, "").abs()


@pytest.mark.parametrize("kind", [Doubled, NormAndMore])
def test_what_torch_alone_knows_is_left_to_torch(kind: type[Op], caplog: pytest.LogCaptureFixture):
    def network() -> Network:
        ops = OpList(SHAPE)
        x = ops.apply(kind, "own", ops.conv("conv", 0, 6, 3, act="relu"))
        ops.linear("linear", ops.flatten("flat", ops.global_pool("pool", x)), 4)
        return [("net", LayerSpec("test", SHAPE, tuple(ops.ops)))]

    expected, found, engine = drawn(network()), drawn(network()), get_engine("onnxruntime")
    recalibrate(expected, batches(9, 4))
    with caplog.at_level("INFO", "hwnas"):
        for _ in range(2):
            engine.recalibrate(found, batches(9, 4))
    told = [record.message for record in caplog.records if kind.__name__ in record.message]
    assert len(told) == 1
    assert told[0].startswith("torch evaluates these subnets")
    assert_same_statistics(found, expected)
    if kind is Doubled:
        with torch.no_grad():
            torch.testing.assert_close(engine.runner(found)(batches(5)[0]), expected(batches(5)[0]))


def test_torch_channels_last_is_the_plain_network_and_bf16_is_near_it():
    plain, x = drawn(branching()), batches(16)[0]
    recalibrate(plain, batches(40))
    with torch.no_grad():
        expected = plain(x)
    for name, error in (("torch", 1e-4), ("torch-bf16", 0.1)):
        subnet, engine = drawn(branching()), get_engine(name)
        assert engine.name == name
        engine.recalibrate(subnet, batches(40))
        assert_same_statistics(subnet, plain)
        assert subnet.get_parameter("net/stem.weight").is_contiguous(memory_format=torch.channels_last)
        logits = engine.runner(subnet)(x)
        assert logits.dtype == torch.float32
        assert (logits - expected).abs().max() < error * expected.abs().max()


def test_the_engine_that_suits_and_names_that_are_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert get_engine().name == "onnxruntime"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    engine = get_engine()
    assert isinstance(engine, TorchEngine)
    assert (engine.name, engine.device.type) == ("torch", "cuda")
    with pytest.raises(UnknownNameError, match="did you mean 'torch'"):
        get_engine("torh")


def test_networks_without_batch_norms_are_not_calibrated(own_supernet: Supernet):
    class NoImages:
        metrics: Mapping[str, Score] = {"top1": lambda scored: float(sum(len(labels) for _, labels in scored))}
        labels: tuple[str, ...] = ()

        def calibration(self, specs: Specs) -> Iterator[Tensor]:
            raise AssertionError(specs)

        def validation(self, specs: Specs) -> Iterator[tuple[Tensor, Tensor]]:
            yield torch.randn(4, *specs["input"].shape), torch.zeros(4, dtype=torch.int64)

    ops = OpList(SHAPE)
    ops.linear("linear", ops.flatten("flat", ops.global_pool("pool", ops.conv("conv", 0, 6, 3, bn=False))), 4)

    class Plain(Supernet):
        search_space = staticmethod(lambda: own_supernet.space)

        def extract(self, row: np.ndarray) -> Subnet:  # noqa: ARG002
            return drawn([("net", LayerSpec("test", SHAPE, tuple(ops.ops)))])

    found = evaluate(Plain(own_supernet.tensors), own_supernet.space.sample(1, np.random.default_rng(0))[0], NoImages())
    assert (found.value, found.n_images, found.n_calibration) == (4.0, 4, 0)


def test_items_made_ahead_come_in_order_and_fail_in_their_place():
    made = []

    def items() -> Iterator[int]:
        for i in range(5):
            if i == 3:
                message = "the fourth"
                raise ValueError(message)
            made.append(i)
            yield i

    coming = ahead(items())
    assert next(coming) == 0
    assert [next(coming), next(coming)] == [1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(coming)
    assert list(ahead([])) == []
