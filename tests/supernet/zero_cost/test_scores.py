"""Scores against their definitions, worked out by hand on small networks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hwnas.errors import SpaceError
from hwnas.space import Network, OpList
from hwnas.supernet.zero_cost import swap, synflow
from hwnas.supernet.zero_cost._swap import SAMPLES
from hwnas.supernet.zero_cost._untrained import noise, untrained_weights


def chain(*, relu: bool = True) -> Network:
    """Two linear maps, 5 > 7 > 3, with a ReLU between them."""
    ops = OpList((5,))
    x = ops.linear("first", 0, 7)
    x = ops.act("relu", x, "relu") if relu else x
    ops.linear("second", x, 3)
    return [("net", ops.layer("chain"))]


def on(network: Network) -> np.ndarray:
    """``(samples, 7)`` which ReLUs are on."""
    weights = untrained_weights(network, 0)
    x = noise(network, SAMPLES, 0)["input"]
    return (x @ weights["net/first.weight"].T > 0).numpy()


def test_synflow_is_what_all_paths_carry_once_per_layer() -> None:
    weights = untrained_weights(chain(), 0)
    first, second = (weights[f"net/{name}.weight"].abs().double() for name in ("first", "second"))
    carried = float((second @ first @ torch.ones(5, dtype=torch.float64)).sum())
    assert synflow(chain(), 0) == synflow(chain(relu=False), 0)
    assert math.isclose(synflow(chain(), 0), math.log10(2 * carried), rel_tol=1e-9)


def test_synflow_goes_through_attention_by_its_values() -> None:
    """All tokens are alike, so that their mean is one of them; queries and keys carry nothing."""
    ops = OpList((3, 4))
    query, key, value = (ops.linear(name, 0, 400) for name in ("query", "key", "value"))
    ops.linear("output", ops.flatten("flatten", ops.attention("attention", query, key, value, heads=2)), 5)
    network: Network = [("net", ops.layer("attention"))]
    weights = untrained_weights(network, 0)
    values, output = (weights[f"net/{name}.weight"].abs().double() for name in ("value", "output"))
    carried = float((output @ (values @ torch.ones(4, dtype=torch.float64)).repeat(3)).sum())
    assert math.isclose(synflow(network, 0), math.log10(2 * carried), rel_tol=1e-9)


def test_synflow_of_a_network_that_its_input_does_not_reach_is_the_least() -> None:
    ops = OpList((4,))
    ops.mul("nothing", 0, 0)
    assert synflow([("net", ops.layer("weightless"))], 0) == -300


def test_synflow_beyond_the_range_of_numbers_is_refused() -> None:
    ops, x = OpList((100,)), 0
    for i in range(330):  # each carries eleven times what enters it
        x = ops.linear(f"linear{i}", x, 100)
    with pytest.raises(SpaceError, match="synflow: the flow through this network exceeds double precision; use swap"):
        synflow([("net", ops.layer("deep"))], 0)


def test_swap_counts_patterns_over_the_samples() -> None:
    pattern = on(chain())
    assert swap(chain(), 0) == len({tuple(column) for column in pattern.T})
    assert swap(chain(relu=False), 0) == 0
