"""Networks of variable length compute the same as those of a fixed length, at any length."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from hwnas.graph import Model, build_model, open_sizes
from hwnas.space import LayerSpec, Network, OpList, network_inputs
from hwnas.space.ops import LENGTH
from hwnas.supernet import Subnet, folded_weights
from hwnas.supernet._agreement import logits, open_session
from tests.contract.test_ops import built, image, subnet_of

POSITIONS = 12


def network(length: int, *, causal: bool) -> Network:
    """Ids, mask, positions, attention whose heads share keys, and a mean over all tokens or those that the mask keeps."""
    ops = OpList(())
    ids = ops.read("input_ids", (length,), "int64", below=30, axes=(LENGTH,))
    mask = ops.read("attention_mask", (length,), "int64", below=2, axes=(LENGTH,))
    x = ops.positions("positions", ops.embedding("words", ids, 30, 16), POSITIONS)
    query, key, value = (ops.linear(part, x, size) for part, size in (("query", 16), ("key", 8), ("value", 8)))
    bias = ops.causal_bias("bias", ids, mask) if causal else ops.padding_bias("bias", mask)
    x = ops.attention("attention", query, key, value, bias, heads=4, kv_heads=2)
    ops.linear("linear", ops.mean_tokens("mean", x, None if causal else mask), 3)
    return (("text", ops.layer("text")),)


def fed(length: int, kept: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """A batch, filled up behind the tokens that are kept."""
    ids = torch.from_numpy(np.random.default_rng(0).integers(30, size=(len(kept), length)))
    return {"input_ids": ids, "attention_mask": (torch.arange(length) < torch.tensor(kept)[:, None]).long()}


@pytest.mark.parametrize("causal", [False, True])
def test_any_length_that_has_positions(causal: bool) -> None:
    whole = subnet_of(network(6, causal=causal))
    model = build_model(whole.network, weights=folded_weights(whole))
    onnx.checker.check_model(model, full_check=True)
    session = open_session(model)
    for length in (1, 3, 6, POSITIONS):
        inputs = fed(length, (length, max(1, length // 2)))
        other = Subnet(network(length, causal=causal), whole.weights(), {}, 1e-5)
        fixed = build_model(other.network, weights=folded_weights(other), batch=2)
        with torch.inference_mode():
            expected = other(inputs).numpy()
            np.testing.assert_array_equal(whole(inputs).numpy(), expected)
        np.testing.assert_allclose(logits(session, inputs), expected, atol=1e-5)
        np.testing.assert_allclose(logits(session, inputs), logits(open_session(fixed), inputs), atol=1e-5)


def test_padding_changes_nothing() -> None:
    subnet = subnet_of(network(6, causal=False))
    session = open_session(build_model(subnet.network, weights=folded_weights(subnet)))
    inputs = fed(POSITIONS, (4, 2))
    short = {name: tokens[:, :4] for name, tokens in inputs.items()}
    np.testing.assert_allclose(logits(session, inputs), logits(session, short), atol=1e-5)


def test_it_is_timed_at_the_length_it_is_meant_for() -> None:
    model = build_model(network(6, causal=False))
    assert {entry.key: entry.value for entry in model.metadata_props}[LENGTH] == "6"
    assert [each.shape for each in Model.of(model, batch=2).inputs] == [(2, 6), (2, 6)]


def test_images_have_no_length() -> None:
    pictures: list[tuple[str, LayerSpec]] = [("conv", image(lambda ops: ops.conv("conv", 0, 4, 3)))]
    assert open_sizes(network_inputs(pictures)) == {}
    numbers: list[tuple[str, LayerSpec]] = [("map", built(OpList((6,)), lambda ops: ops.linear("linear", 0, 4)))]
    assert open_sizes(network_inputs(numbers)) == {}
