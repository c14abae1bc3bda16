"""What every class of op must do: state its shape, MACs and weights, and compute the same in ONNX and in torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor

from hwnas.errors import SpaceError, SupernetError, UnknownNameError
from hwnas.graph import Nodes, build_model, random_feeds, to_onnx
from hwnas.space import LayerSpec, Network, OpList, TensorSpec, network_inputs
from hwnas.space import ops as every_op
from hwnas.space.ops import Op, Pool
from hwnas.supernet import Pass, Subnet, folded_weights, forward, run
from hwnas.testing import OP_CHECKS, Check

IMAGE, TOKENS = (4, 7, 6), (5, 12)


@dataclass(frozen=True)
class Swap(Op):
    """A plug-in's op: it swaps the two halves of its input."""


@to_onnx.register
def _swap_onnx(op: Swap, x: Sequence[str], at: Nodes) -> str:
    half = op.in_shape[0] // 2
    ends = (
        (at.integers(half), at.integers(op.in_shape[0]), at.integers(1)),
        (at.integers(0), at.integers(half), at.integers(1)),
    )
    return at.result("Concat", [at.node("Slice", [*x, *end]) for end in ends], axis=1)


@run.register
def _swap_torch(op: Swap, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return x[0].roll(op.in_shape[0] // 2, 1)


def image(write: Callable[[OpList], int]) -> LayerSpec:
    return built(OpList(IMAGE), write)


def tokens(write: Callable[[OpList], int]) -> LayerSpec:
    return built(OpList(TOKENS), write)


def built(ops: OpList, write: Callable[[OpList], int]) -> LayerSpec:
    write(ops)
    return ops.layer("test")


def masked(write: Callable[[OpList, int], int]) -> LayerSpec:
    ops = OpList(TOKENS)
    write(ops, ops.read("mask", TOKENS[:1], "int64", below=2))
    return ops.layer("test")


def ids() -> LayerSpec:
    ops = OpList(())
    ops.embedding("embedding", ops.read("input_ids", (5,), "int64", below=30), 30, 8)
    return ops.layer("test")


def shared() -> LayerSpec:
    ops = OpList(())
    rows = ops.shared_row("rows", ops.read("input_ids", (5,), "int64", below=30), 30, 7)
    ops.embedding("embedding", rows, 7, 8)
    return ops.layer("test")


def projected(ops: OpList, heads: int, kv_heads: int, *, causal: bool = False, mask: int | None = None) -> int:
    query = ops.linear("query", 0, 4 * heads)
    key, value = (ops.linear(name, 0, 4 * kv_heads) for name in ("key", "value"))
    bias = None if mask is None else ops.causal_bias("bias", mask, mask) if causal else ops.padding_bias("bias", mask)
    return ops.attention("attention", query, key, value, bias, heads=heads, kv_heads=kv_heads)


def cached(ops: OpList, heads: int, kv_heads: int) -> int:
    """Five tokens after three: queries and keys turned by their places, keys and values behind those of a cache."""
    places = ops.read("position_ids", (5,), "int64", below=8)
    mask = ops.read("attention_mask", (8,), "int64", below=2)
    cos, sin = ops.angles("angles", places, 4, 100.0)
    query = ops.rotary(
        "query.turned", ops.split_heads("query.heads", ops.linear("query", 0, 4 * heads), heads), cos, sin
    )
    key, value = (ops.split_heads(f"{n}.heads", ops.linear(n, 0, 4 * kv_heads), kv_heads) for n in ("key", "value"))
    key = ops.rotary("key.turned", key, cos, sin)
    key, value = (
        ops.write(f"present.{n}", ops.concat(f"{n}.cache", ops.read(n, (kv_heads, 3, 4)), new, axis=1), output=True)
        for n, new in (("key", key), ("value", value))
    )
    bias = ops.causal_bias("bias", places, mask)
    return ops.attention("attention", query, key, value, bias, heads=heads, kv_heads=kv_heads)


def tied() -> LayerSpec:
    ops = OpList(())
    x = ops.embedding("embedding", ops.read("input_ids", (5,), "int64", below=30), 30, 8)
    ops.tied_linear("tied", x, 30, "slot/embedding")
    return ops.layer("test")


LAYERS: dict[str, LayerSpec] = {
    "conv": image(lambda o: o.conv("conv", 0, 6, 3, 2, act="relu")),
    "depthwise": image(lambda o: o.conv("conv", 0, 8, 5, groups=4, bias=True)),
    "conv-rectangular": image(lambda o: o.conv("conv", 0, 6, (1, 5), (2, 1), bias=True, bn=False)),
    "conv-dilated": image(lambda o: o.conv("conv", 0, 6, 3, dilation=2)),
    "conv-asymmetric": image(lambda o: o.conv("conv", 0, 6, 3, 2, pads=(0, 0, 1, 1), bn=False)),
    "patches": image(lambda o: o.conv("conv", 0, 6, 2, 2, pads=(0, 0, 0, 0), bias=True, bn=False)),
    "linear-of-a-vector": image(lambda o: o.linear("linear", o.flatten("flatten", 0), 9)),
    "linear-of-tokens": tokens(lambda o: o.linear("linear", 0, 9)),
    "linear-without-bias": tokens(lambda o: o.linear("linear", 0, 9, bias=False)),
    **{f"act-{f}": tokens(partial(OpList.act, name="act", x=0, function=f)) for f in every_op.FORMULAS},
    "convert": image(lambda o: o.convert("convert", 0, "int8")),
    "add": image(lambda o: o.add("add", o.conv("conv", 0, 4, 3), 0)),
    "gate": image(lambda o: o.mul("mul", 0, o.global_pool("pool", 0))),
    "gate-per-pixel": image(lambda o: o.mul("mul", 0, o.channel_mean("mean", 0))),
    "gate-per-pixel-of-maxima": image(lambda o: o.mul("mul", 0, o.channel_max("max", 0))),
    "power": image(lambda o: o.power("power", 0, 2.5, 1e-3)),
    "pad-reflect": image(lambda o: o.pad("pad", 0, (1, 2, 3, 0))),
    "pad-edge": image(lambda o: o.pad("pad", 0, (1, 2, 3, 0), "edge")),
    **{
        f"upsample-{mode}": image(partial(OpList.upsample, name="up", x=0, factor=(2, 3), mode=mode))
        for mode in get_args(every_op.Interpolation)
    },
    "max-pool": image(lambda o: o.max_pool("pool", 0, 3, 2)),
    "max-pool-asymmetric": image(lambda o: o.max_pool("pool", 0, (3, 2), (2, 2), pads=(0, 0, 1, 1))),
    "max-pool-ceil": image(lambda o: o.max_pool("pool", 0, 2, 2, pads=(0, 0, 0, 0), ceil=True)),
    "avg-pool": image(lambda o: o.avg_pool("pool", 0, 2, 2)),
    "avg-pool-padded": image(lambda o: o.avg_pool("pool", 0, 3, 1, pads=(1, 1, 1, 1))),
    "avg-pool-of-zeros-too": image(lambda o: o.padded_avg_pool("pool", 0, 3, 2, pads=(1, 1, 0, 1))),
    "global-max-pool": image(lambda o: o.global_max_pool("pool", 0)),
    "prelu": image(lambda o: o.prelu("prelu", 0)),
    "prelu-of-tokens": tokens(lambda o: o.prelu("prelu", 0)),
    "global-pool": image(lambda o: o.global_pool("pool", 0)),
    "mean": tokens(lambda o: o.mean_tokens("mean", 0)),
    "mean-masked": masked(lambda o, mask: o.mean_tokens("mean", 0, mask)),
    "batch-norm": image(lambda o: o.batch_norm("norm", 0)),
    "batch-norm-of-tokens": tokens(lambda o: o.batch_norm("norm", 0)),
    "affine": image(lambda o: o.affine("affine", 0)),
    "affine-of-the-last-axis": tokens(lambda o: o.affine("affine", 0, axis=1)),
    "group-norm": image(lambda o: o.group_norm("norm", 0, 2)),
    "instance-norm": image(lambda o: o.group_norm("norm", 0, 4, 1e-3)),
    "local-response-norm": image(lambda o: o.local_response_norm("norm", 0, 3, 0.5)),
    "response-norm": image(lambda o: o.response_norm("norm", 0)),
    "response-norm-of-the-last-axis": image(lambda o: o.response_norm("norm", 0, axis=2)),
    "layer-norm": tokens(lambda o: o.layer_norm("norm", 0, 1e-12)),
    "rms-norm": tokens(lambda o: o.rms_norm("norm", 0)),
    "attention": tokens(lambda o: projected(o, 3, 3)),
    "attention-masked": masked(lambda o, mask: projected(o, 3, 3, mask=mask)),
    "attention-grouped-causal": masked(lambda o, mask: projected(o, 4, 2, mask=mask, causal=True)),
    "attention-cached": tokens(lambda o: cached(o, 3, 3)),
    "attention-grouped-cached": tokens(lambda o: cached(o, 4, 2)),
    "embedding": ids(),
    "embedding-tied": tied(),
    "embedding-shared": shared(),
    "positions": tokens(lambda o: o.positions("positions", 0, 8)),
    "grid-positions": tokens(lambda o: o.grid_positions("positions", 0, 1, 2)),
    "grid-positions-resized": tokens(lambda o: o.grid_positions("positions", 0, 1, 3)),
    "class-token": tokens(lambda o: o.take("take", o.class_token("class", 0))),
    "reshape": image(lambda o: o.reshape("reshape", 0, (2, 2, 42))),
    "transpose": image(lambda o: o.transpose("transpose", 0, (1, 2, 0))),
    "shuffle": image(lambda o: o.shuffle("shuffle", 0, 2)),
    "concat": image(lambda o: o.concat("concat", 0, o.conv("conv", 0, 3))),
    "slice": image(lambda o: o.slice("slice", 0, 1, 3, axis=2)),
    "write": image(lambda o: o.write("kept", 0)),
    "plug-in": image(lambda o: o.apply(Swap, "swap", 0)),
}


def subnet_of(network: Network, seed: int = 0) -> Subnet:
    """Random tensors, running variances positive."""
    rng = np.random.default_rng(seed)
    tensors = {
        f"{slot}/{op.name}.{part}": torch.from_numpy(
            rng.uniform(0.2, 1.0, shape) * rng.choice([1, 1 if "var" in part else -1], shape)
        )
        for slot, layer in network
        for op in layer.ops
        for part, shape in {**op.weights, **op.buffers}.items()
    }
    return Subnet(network, {name: tensor.float() for name, tensor in tensors.items()}, {}, 1e-5)


def fed(network: Network, batch: int = 3) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in random_feeds(network, batch, seed=1).items()}


def test_there_is_a_case_for_every_class_of_op() -> None:
    exported = {kind for kind in vars(every_op).values() if isinstance(kind, type) and issubclass(kind, Op)}
    seen = {type(op) for layer in LAYERS.values() for op in layer.ops}
    assert exported - {Op, Pool} <= seen


@pytest.mark.parametrize("check", OP_CHECKS)
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_it_keeps_the_contract(check: Check, layer: LayerSpec) -> None:
    check(layer)


def test_a_new_activation_is_one_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(every_op.FORMULAS, "quick_gelu", lambda m, x: x * m.sigmoid(1.702 * x))
    for check in OP_CHECKS:
        check(tokens(lambda o: o.act("act", 0, "quick_gelu")))
    with pytest.raises(UnknownNameError, match=r"activation 'quickgelu'.*did you mean 'quick_gelu'"):
        tokens(lambda o: o.act("act", 0, "quickgelu"))


def test_classes_that_are_not_registered_are_named() -> None:
    class Odd(Op):
        pass

    ops = OpList(TOKENS)
    ops.apply(Odd, "odd", 0)
    network = [("slot", ops.layer("odd"))]
    with pytest.raises(SpaceError, match=r"op odd \(Odd\): it has no ONNX form; register hwnas.graph.to_onnx for Odd"):
        build_model(network)
    with pytest.raises(SpaceError, match=r"op odd \(Odd\): it has no torch form; register hwnas.supernet.run for Odd"):
        forward(network, {}, torch.zeros(1, *TOKENS))


def test_operators_that_an_old_opset_lacks_are_refused() -> None:
    with pytest.raises(SupernetError, match="opset 16: LayerNormalization came with 17"):
        build_model([("slot", LAYERS["layer-norm"])], opset=16)


def test_named_values_are_inputs_unless_an_earlier_layer_wrote_them() -> None:
    first, last = OpList((4, 3)), OpList((4, 3))
    first.linear("linear", first.write("kept", 0), 3)
    mask = last.read("mask", (4,), "int64", below=2)
    last.mean_tokens("mean", last.add("add", 0, last.read("kept", (4, 3))), mask)
    network = [("first", first.layer("first")), ("last", last.layer("last"))]
    assert network_inputs(network) == {"input": TensorSpec((4, 3)), "mask": TensorSpec((4,), "int64", 2)}
    assert list(network_inputs(network[1:])) == ["input", "mask", "kept"]
    subnet, feeds = subnet_of(network), fed(network)
    session = ort.InferenceSession(build_model(network, weights=folded_weights(subnet)).SerializeToString())
    (found,) = session.run(None, {name: tensor.numpy() for name, tensor in feeds.items()})
    with torch.no_grad():
        np.testing.assert_allclose(found, subnet(feeds).numpy(), rtol=1e-5, atol=1e-5)


def test_named_values_that_do_not_fit_are_refused() -> None:
    first, last = OpList((4, 3)), OpList((4, 3))
    first.write("kept", 0)
    last.read("kept", (4, 2))
    with pytest.raises(
        SpaceError, match=r"layer last: it reads 'kept' as float32 \(4, 2\), but it is float32 \(4, 3\)"
    ):
        network_inputs([("first", first.layer("first")), ("last", last.layer("last"))])
