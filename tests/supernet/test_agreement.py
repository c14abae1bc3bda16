"""int8 compared with fp32: it holds on trained weights, and collapses, with a name, on weights built to collapse."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from hwnas.cli import main
from hwnas.errors import DataError
from hwnas.graph import activation_ranges, build_model, quantized
from hwnas.space import TensorSpec
from hwnas.supernet import (
    Subnet,
    Supernet,
    agreement,
    calibrated,
    folded_weights,
    load_supernet,
    most_lossy,
    onnx_model,
)
from hwnas.task import DigitsData

DATA = DigitsData()
ARCH = {"ks": [3] * 7, "e": [6] * 7, "d": [2, 3, 2], "r": 16}
COLLAPSING = "blocks.2"
"""Has no residual that would carry the signal past it."""


def collapsing(net: Supernet) -> Supernet:
    """The same function in fp32: channels between two layers shrink by up to 10,000, and their readers make up for it."""
    tensors = {name: tensor.clone() for name, tensor in net.tensors.items()}
    n = len(tensors[f"{COLLAPSING}/expand.bn.weight"])
    scale = torch.logspace(0, -4, n)[torch.randperm(n, generator=torch.Generator().manual_seed(0))]
    for part in ("weight", "bias"):
        tensors[f"{COLLAPSING}/expand.bn.{part}"] *= scale
    tensors[f"{COLLAPSING}/depthwise.weight"] /= scale.reshape(-1, 1, 1, 1)
    return net.alike(tensors)


@pytest.fixture(scope="module")
def net() -> Supernet:
    return load_supernet("digits")


def subnet_of(net: Supernet) -> Subnet:
    return calibrated(net, net.space.encode(ARCH), DATA)[0]


def batches() -> Iterable[Tensor]:
    return DATA.calibration({"input": TensorSpec((1, 16, 16))})


def test_trained_weights_hold(net: Supernet):
    found = onnx_model(subnet_of(net), precision="int8", batches=batches, least_agreement_pct=95)
    assert found.agreement is not None
    assert found.agreement.share_pct >= 95
    assert found.agreement.n_images == 177
    assert found.agreement.logit_error < 0.1 * found.agreement.logit_spread
    assert found.lossy == ()


def test_what_is_counted_is_counted_right(net: Supernet):
    subnet = subnet_of(net)
    plain = build_model(subnet.network, weights=folded_weights(subnet))
    same = agreement(plain, plain, batches)
    assert (same.share_pct, same.logit_error) == (100.0, 0.0)
    shifted = {name: array.copy() for name, array in folded_weights(subnet).items()}
    shifted["classifier/linear.bias"][4] += 1000
    found = agreement(plain, build_model(subnet.network, weights=shifted), batches)
    with torch.no_grad():
        logits = torch.cat([subnet(images) for images in batches()])
    assert found.share_pct == pytest.approx(100 * float((logits.argmax(1) == 4).float().mean()))
    assert found.logit_error == pytest.approx(100, rel=1e-4)
    assert found.logit_spread == pytest.approx(float(logits.std(correction=0)), rel=1e-3)
    with pytest.raises(DataError, match="no images"):
        agreement(plain, plain, list)


def test_a_collapse_is_blamed_on_its_layer(net: Supernet):
    subnet = subnet_of(collapsing(net))
    with torch.no_grad():
        images = next(iter(batches()))
        torch.testing.assert_close(subnet(images), subnet_of(net)(images), rtol=1e-3, atol=1e-3)
    found = onnx_model(subnet, precision="int8", batches=batches, least_agreement_pct=95)
    assert found.agreement is not None
    assert found.agreement.share_pct < 80
    worst = found.lossy[0]
    assert worst.layer.startswith(f"{COLLAPSING}/")
    assert worst.agreement.share_pct < 90
    errors = [blamed.agreement.logit_error for blamed in found.lossy]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 3 * errors[1] or found.lossy[1].layer.startswith(f"{COLLAPSING}/")


def test_blame_is_what_one_layer_in_int8_costs(net: Supernet):
    subnet = subnet_of(collapsing(net))
    plain = build_model(subnet.network, weights=folded_weights(subnet))
    few = [next(iter(batches()))[:32]]
    ranges = activation_ranges(plain, (images.numpy() for images in few))
    for blamed in most_lossy(plain, ranges, lambda: few):
        alone = quantized(plain, ranges, partial(operator.eq, blamed.layer))
        assert agreement(plain, alone, lambda: few) == blamed.agreement
        integer = {n.input[0].removesuffix(".rounded") for n in alone.graph.node if n.name == blamed.layer}
        assert integer


def test_nothing_chosen_is_the_fp32_model(net: Supernet):
    subnet = subnet_of(net)
    plain = build_model(subnet.network, weights=folded_weights(subnet))
    ranges = activation_ranges(plain, (images.numpy() for images in batches()))
    untouched = quantized(plain, ranges, lambda _: False)
    assert [n.op_type for n in untouched.graph.node] == [n.op_type for n in plain.graph.node]
    assert agreement(plain, untouched, batches).logit_error == 0


def exported(*args: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["export", "--supernet", "digits", "--arch", json.dumps(ARCH), *args])
    return int(caught.value.code or 0)


def test_the_command_prints_stores_and_judges_it(net: Supernet, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, weights = tmp_path / "x.onnx", tmp_path / "collapsing.safetensors"
    assert exported("--precision", "int8", "--out", str(out)) == 0
    told = capsys.readouterr().err
    properties = {prop.key: prop.value for prop in onnx.load(out).metadata_props}
    assert f"int8 against fp32: {properties['agreement']}\n" in told
    assert "177 samples decided alike, mean logit error" in properties["agreement"]
    assert exported("--precision", "int8", "--agreement", "99.9", "--out", str(out)) == 1
    assert "BELOW 99.9 %" in capsys.readouterr().err

    collapsing(net).save(weights)
    broken = ("--checkpoint", str(weights), "--precision", "int8", "--out", str(out))
    assert exported(*broken) == 1
    told = capsys.readouterr().err
    assert "BELOW 95 %" in told
    assert f"layers that lose most in int8: {COLLAPSING}/" in told
    assert out.exists()
    assert exported(*broken, "--agreement", "10") == 0
    assert exported("--precision", "fp16", "--out", str(out)) == 0
    assert "fp16 against fp32: " in capsys.readouterr().err


def test_where_nothing_can_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = ("--out", str(tmp_path / "x.onnx"))
    assert exported("--random-weights", "--precision", "int8", *out) == 0
    assert "against fp32" not in capsys.readouterr().err  # which would tell nothing of a trained network
    for options in (("--random-weights", "--precision", "int8"), ("--precision", "fp32")):
        assert exported(*options, "--agreement", "90", *out) == 2
        assert "pass --precision int8, a checkpoint and --data FOLDER" in capsys.readouterr().err


def test_most_random_subnets_of_digits_hold(net: Supernet):
    rng = np.random.default_rng(5)
    shares = []
    for row in net.space.sample(4, rng):
        subnet, _ = calibrated(net, row, DATA)
        found = onnx_model(subnet, precision="int8", batches=partial(DATA.calibration, subnet.inputs))
        assert found.agreement is not None
        shares.append(found.agreement.share_pct)
    assert min(shares) > 90, shares
