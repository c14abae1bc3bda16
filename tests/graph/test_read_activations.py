"""Activations in ONNX files, known by what they compute, whatever their spelling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hwnas.errors import SupernetError
from hwnas.graph.read import read_network
from hwnas.space.ops import (
    Activation,
    Affine,
    Flatten,
    GlobalPool,
    Linear,
    Power,
    Transpose,
)
from hwnas.space.ops.activation import SLOPES
from tests.graph.files import END, same, written

SPELLINGS: Mapping[str, tuple[str, str]] = {
    "relu": ("relu", "h = Relu(x)"),
    "relu by clip": ("relu", "h = Clip(x, zero)"),
    "relu by max": ("relu", "h = Max(zero, x)"),
    "relu6": ("relu6", "h = Clip(x, zero, six)"),
    "relu6 by min": ("relu6", "r = Relu(x) h = Min(r, six)"),
    "hard swish": ("hswish", "h = HardSwish(x)"),
    "hard swish by a gate": ("hswish", "g = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x) h = Mul(x, g)"),
    "hard swish by sums": ("hswish", "a = Add(x, three) c = Clip(a, zero, six) m = Mul(x, c) h = Div(m, six)"),
    "hard sigmoid of slope 0.2": ("hsigmoid_0.2", "h = HardSigmoid(x)"),
    "hard sigmoid of slope 0.2 by sums": ("hsigmoid_0.2", "m = Mul(x, fifth) a = Add(m, half) h = Clip(a, zero, one)"),
    "hard sigmoid": ("hsigmoid", "h = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x)"),
    "swish": ("silu", "g = Sigmoid(x) h = Mul(g, x)"),
    **{f"leaky relu {slope}": (f"leaky_relu_{slope}", f"h = LeakyRelu<alpha = {slope}>(x)") for slope in SLOPES},
    "leaky relu by max": ("leaky_relu_0.1", "m = Mul(x, tenth) h = Max(x, m)"),
    "elu": ("elu", "h = Elu(x)"),
    "selu": ("selu", "h = Selu(x)"),
    "softplus": ("softplus", "h = Softplus(x)"),
    "softplus of torch": (
        "softplus",
        "e = Exp(x) a = Add(e, one) l = Log(a) g = Greater(x, twenty) h = Where(g, x, l)",
    ),
    "mish": ("mish", "s = Softplus(x) t = Tanh(s) h = Mul(x, t)"),
    "gelu": ("gelu", "d = Div(x, root) e = Erf(d) a = Add(e, one) m = Mul(x, a) h = Mul(m, half)"),
    "gelu by tanh": (
        "gelu_tanh",
        "q = Pow(x, three) b = Mul(q, cube) s = Add(x, b) t = Mul(s, pi) u = Tanh(t) a = Add(u, one) m = Mul(x, a) h = Mul(m, half)",
    ),
}
NUMBERS = {
    "zero": 0,
    "tenth": 0.1,
    "fifth": 0.2,
    "half": 0.5,
    "one": 1,
    "three": 3,
    "twenty": 20,
    "six": 6,
    "root": 1.41421354,
    "cube": 0.044715,
    "pi": 0.7978846,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_activations_are_known_by_what_they_compute(spelling: str, tmp_path: Path) -> None:
    function, body = SPELLINGS[spelling]
    numbers: dict[str, Any] = {name: float(n) for name, n in NUMBERS.items()}
    network = same(written(tmp_path / "x.onnx", f"{body} {END}", **numbers))
    assert [op.function for op in network.ops if isinstance(op, Activation)] == [function]
    assert len(network.ops) == 3


def test_slopes_per_channel_and_unusual_ones_are_weights(tmp_path: Path) -> None:
    for body in ("h = PRelu(x, slopes)", "h = PRelu(x, slope)", "h = LeakyRelu<alpha = 0.25>(x)"):
        network = same(written(tmp_path / "x.onnx", f"{body} {END}", slopes=(1, 4, 1, 1), slope=(1,)))
        assert [type(op).__name__ for op in network.ops] == ["PRelu", "GlobalPool", "Flatten"]


@pytest.mark.parametrize("exponent", [3.0, 2.7])
def test_generalised_means_are_powers_around_a_pool(exponent: float, tmp_path: Path) -> None:
    body = "c = Clip(x, least) p = Pow(c, e) m = GlobalAveragePool(p) r = Pow(m, inverse) y = Flatten(r)"
    numbers: dict[str, Any] = {"least": 1e-6, "e": exponent, "inverse": 1 / exponent}
    network = same(written(tmp_path / "x.onnx", body, **numbers))
    assert [type(op) for op in network.ops] == [Power, GlobalPool, Power, Flatten]
    powers = [op for op in network.ops if isinstance(op, Power)]
    assert [op.exponent for op in powers] == [pytest.approx(exponent), pytest.approx(1 / exponent)]
    assert [op.least for op in powers] == [pytest.approx(1e-6, rel=1e-3), 0]


@pytest.mark.parametrize("body", ["h = Pow(x, three)", "h = Reciprocal(x)", "h = Pow(x, two)"])
def test_powers_of_negative_numbers_are_no_activation(body: str, tmp_path: Path) -> None:
    with pytest.raises(SupernetError, match="is no activation that hwnas knows"):
        read_network(written(tmp_path / "x.onnx", f"{body} {END}", three=3.0, two=2.0))


def test_activations_of_activations(tmp_path: Path) -> None:
    """A gate of an activated feature map, and an activation whose value two nodes read."""
    body = f"a = Relu(x) b = Sigmoid(a) c = Mul(a, b) s = Tanh(c) q = GlobalAveragePool(a) g = HardSigmoid<alpha = 0.3>(q) h = Mul(s, g) {END}"
    with pytest.raises(SupernetError, match="HardSigmoid is no activation that hwnas knows; it knows relu, relu6"):
        read_network(written(tmp_path / "x.onnx", body))
    network = same(written(tmp_path / "y.onnx", body.replace("HardSigmoid<alpha = 0.3>(q)", "Sigmoid(q)")))
    assert [op.function for op in network.ops if isinstance(op, Activation)] == ["relu", "silu", "tanh", "sigmoid"]


def test_activations_are_scaled_along_the_channels_of_a_linear_map(tmp_path: Path) -> None:
    """As ConvFormer's are, which have channels last: ``s * relu(x) ** 2 + b``."""
    star = "r = Relu(l) q = Pow(r, two) m = Mul(q, half) a = Add(m, tenth)"
    body = f"t = Transpose<perm = [0, 2, 3, 1]>(x) l = MatMul(t, w) {star} h = Transpose<perm = [0, 3, 1, 2]>(a) {END}"
    network = same(written(tmp_path / "x.onnx", body, w=(4, 6), two=2.0, half=0.5, tenth=0.1))
    assert [type(op) for op in network.ops[:4]] == [Transpose, Linear, Power, Affine]
    assert [op.axis for op in network.ops if isinstance(op, Affine)] == [2]


def test_activations_may_be_scaled(tmp_path: Path) -> None:
    """As those of NFNets are, to keep the variance."""
    numbers: dict[str, Any] = {name: float(n) for name, n in NUMBERS.items()}
    for spelling, (function, activation) in SPELLINGS.items():
        body = f"{activation.replace('h =', 'v =')} big = Mul(v, root) h = Add(big, tenth) {END}"
        network = same(written(tmp_path / "x.onnx", body, **numbers))
        assert [type(op) for op in network.ops[:2]] == [Activation, Affine], spelling
        assert isinstance(network.ops[0], Activation)
        assert network.ops[0].function == function
