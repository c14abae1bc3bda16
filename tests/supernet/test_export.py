"""Exported files: they run, they say what they are, and they are the network that torch has."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
import torch

from hwnas.cli import main
from hwnas.errors import SupernetError
from hwnas.graph import network_model
from hwnas.space import get_space
from hwnas.supernet import Supernet, calibrated, export_onnx
from hwnas.task import ImageFolder, Sampling
from tests.supernet.conftest import OWN

ARCH = {"d": [1, 2, 1], "e": [0.5, 0.5, 1.0, 0.5, 1.0, 0.5], "r": 32}


def exit_code(*args: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["export", *args])
    return int(caught.value.code or 0)


def properties(path: Path) -> dict[str, str]:
    return {prop.key: prop.value for prop in onnx.load(path).metadata_props}


@pytest.fixture
def checkpoint(own_supernet: Supernet, tmp_path: Path) -> Path:
    own_supernet.save(tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


def test_a_row_is_exported_with_its_weights_and_accuracy(
    own_supernet: Supernet, checkpoint: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    csv, out = tmp_path / "pareto.csv", tmp_path / "x.onnx"
    pd.DataFrame({"row": [1, 2], "top1": [81.5, 80.25], "arch": [json.dumps(ARCH)] * 2}).to_csv(csv, index=False)
    options = ("--supernet", OWN, "--checkpoint", str(checkpoint), "--calibrate", "16", "--batch-size", "8")
    assert exit_code(str(csv), "--row", "2", *options, "--data", str(image_folder), "--out", str(out)) == 0
    told = capsys.readouterr().err
    assert "re-calibrated on 16 images" in told
    assert "logits differ from torch's by at most" in told
    facts = properties(out)
    assert json.loads(facts["arch"])["d"] == ARCH["d"]
    assert facts["space"] == "own"
    assert facts["top1"] == "80.2500"
    assert facts["top1_source"] == f"predicted ({csv}, row 2)"
    assert facts["weights"].startswith("own.safetensors (")

    data = ImageFolder(image_folder, 10, Sampling(1, 16, 8))
    subnet, _ = calibrated(own_supernet, own_supernet.space.encode(ARCH), data)
    x = torch.randn(5, 3, 32, 32)
    session = ort.InferenceSession(out, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"input": x.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(logits, subnet(x).numpy(), atol=1e-4)

    measured = ("--images", "20", "--data", str(image_folder))
    assert exit_code("--arch", json.dumps(ARCH), *options, *measured, "--out", str(out)) == 0
    assert properties(out)["top1_source"] == f"measured on 20 images of {image_folder}"


def test_a_subnet_that_was_trained_alone_has_not_the_accuracy_it_had_before(
    checkpoint: Path,
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    given = ("--supernet", OWN, "--checkpoint", str(checkpoint), "--data", str(image_folder))
    search = ("search", *given, "--evaluate", "--evals", "8", "--objectives", "top1,macs", "--out", "front.csv")
    train = ("train", *given, "--front", "front.csv", "--steps", "1", "--out", "one.safetensors")
    for words in (search, train):
        with pytest.raises(SystemExit, match="0"):
            main(list(words))
    told = capsys.readouterr().err
    following = shlex.split(told.partition("next: hwnas export ")[2])
    assert exit_code(*following) == 0
    told = capsys.readouterr().err
    assert "re-calibrated on 40 images" in told
    assert "was measured with other weights" in told
    assert "top1" not in properties(Path("subnet.onnx"))
    Path("front.json").unlink()
    assert exit_code(*following) == 0  # without a front that names the network


def test_no_accuracy_is_claimed_without_calibration(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    csv, out = tmp_path / "pareto.csv", tmp_path / "x.onnx"
    pd.DataFrame({"row": [1], "top1": [81.5], "arch": [json.dumps(ARCH)]}).to_csv(csv, index=False)
    args = ("--supernet", OWN, "--checkpoint", str(checkpoint), "--out", str(out))
    assert exit_code(str(csv), "--row", "1", *args) == 0
    assert "not re-calibrated" in capsys.readouterr().err
    assert "top1" not in properties(out)
    assert properties(out)["calibration"].startswith("none")


def test_random_weights_are_marked(tmp_path: Path):
    (tmp_path / "pareto.csv").write_text('row,top1,arch\n1,n/a,"{}"\n'.format(json.dumps(ARCH).replace('"', '""')))
    facts = {"schema": 1, "space": {"name": OWN}}
    (tmp_path / "pareto.json").write_text(json.dumps(facts))
    out = tmp_path / "x.onnx"
    assert exit_code(str(tmp_path / "pareto.csv"), "--row", "1", "--random-weights", "--out", str(out)) == 0
    assert properties(out)["weights"].startswith("random, for latency checks only")
    assert "top1" not in properties(out)


def test_weights_that_torch_and_onnx_cannot_agree_on_write_nothing(own_supernet: Supernet, tmp_path: Path):
    subnet = own_supernet.extract(own_supernet.space.encode(ARCH))
    with torch.no_grad():
        subnet.weights()["head/linear.bias"].fill_(torch.nan)
    with pytest.raises(SupernetError, match="differ"):
        export_onnx(subnet, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_logits_that_are_finite_for_one_image_alone_write_nothing(own_supernet: Supernet, tmp_path: Path):
    subnet = own_supernet.extract(own_supernet.space.encode(ARCH))
    with torch.no_grad():
        for part in ("weight", "bias"):
            subnet.weights()[f"blocks.4/conv2.bn.{part}"].mul_(2e36)  # fp32 overflows on the second input only
    with pytest.raises(SupernetError, match="differ from torch's by up to nan"):
        export_onnx(subnet, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_bad_input_is_one_line_and_exit_2(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    csv = tmp_path / "pareto.csv"
    pd.DataFrame({"row": [1], "top1": [81.5], "arch": [json.dumps(ARCH)]}).to_csv(csv, index=False)
    own = ("--supernet", OWN, "--checkpoint", str(checkpoint))
    cases = [
        ((), "PARETO.csv --row N, or --arch JSON"),
        (own, "--arch JSON"),
        ((str(csv), *own), "pass --row N"),
        ((str(csv), "--row", "2", *own), "has rows 1 to 1"),
        ((str(csv), "--row", "2"), "has rows 1 to 1"),  # before the supernet and its weights are asked for
        ((str(csv), "--row", "2", "--supernet", OWN), "has rows 1 to 1"),
        ((str(csv), "--row", "1"), "pass --supernet NAME"),
        (("--arch", "{", "--supernet", OWN), "not JSON"),
        (("--arch", "{", *own), "not JSON"),
        (("--arch", '{"d": [1]}', *own), "list of 3"),
        (("--arch", json.dumps(ARCH), *own, "--random-weights"), "checkpoint too"),
        (
            ("--arch", json.dumps(ARCH), *own, "--agreement", "0.95"),
            "agreement 0.95: it is a share of images in percent",
        ),
        (("--arch", json.dumps(ARCH), *own, "--images", "5"), "no images"),
        (("--arch", json.dumps(ARCH), "--supernet", OWN), "--checkpoint FILE"),
        (("--arch", json.dumps(ARCH), *own, "--precision", "int9"), "did you mean 'int8'"),
        (("--arch", json.dumps(ARCH), *own, "--precision", "fp16", "--device", "cpu"), "computes in fp32 and int8"),
        (("--arch", json.dumps(ARCH), *own, "--out", str(checkpoint / "x")), "cannot be written"),
    ]
    for args, expected in cases:
        capsys.readouterr()
        assert exit_code(*args) == 2, args
        message = capsys.readouterr().err
        assert expected in message
        assert message.count("\n") == 1


def test_an_int8_network_is_as_accurate_and_is_the_graph_that_is_profiled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    space = get_space("digits")
    arch = json.dumps(space.decode(space.sample(1, np.random.default_rng(3))[0]))
    out = tmp_path / "x.onnx"
    options = ("--supernet", "digits", "--arch", arch, "--images", "600", "--precision", "int8", "--out", str(out))
    assert exit_code(*options) == 0
    facts = properties(out)
    assert facts["precision"] == "int8"
    assert facts["top1_source"] == "measured on 600 images of digits, as int8 by onnxruntime"
    assert abs(float(facts["top1"]) - float(facts["top1_fp32"])) <= 1.0
    assert f"top-1 {float(facts['top1']):.2f} % (in fp32 {float(facts['top1_fp32']):.2f} %)" in capsys.readouterr().err

    network = space.network(space.encode(json.loads(arch)))
    profiled = onnx.load_from_string(network_model(network, precision="int8").content)
    written = onnx.load(out).graph.node
    assert [(n.name, n.op_type) for n in written] == [(n.name, n.op_type) for n in profiled.graph.node]

    assert exit_code(*options[:4], "--random-weights", *options[6:]) == 0
    assert "ranges come from random inputs: use this file for latency checks only" in capsys.readouterr().err


def test_says_that_data_a_supernet_brings_are_measured_on_in_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arch = json.dumps(get_space("digits").decode(get_space("digits").sample(1, np.random.default_rng(3))[0]))
    for images, told in (("300", True), ("600", False)):
        options = ("--supernet", "digits", "--arch", arch, "--images", images, "--out", str(tmp_path / "x.onnx"))
        assert exit_code(*options) == 0
        line = "digits brings its own data, and is measured on all 600 images"
        assert (line in capsys.readouterr().err.splitlines()) is told


def test_the_precision_that_was_searched_for_is_exported(checkpoint: Path, tmp_path: Path):
    csv, out = tmp_path / "pareto.csv", tmp_path / "x.onnx"
    pd.DataFrame({"row": [1], "top1": [81.5], "arch": [json.dumps(ARCH)]}).to_csv(csv, index=False)
    facts = {"schema": 1, "space": {"name": OWN}, "device": {"conditions": {"precision": "fp16"}}}
    csv.with_suffix(".json").write_text(json.dumps(facts))
    for more, precision in (((), "fp16"), (("--precision", "fp32"), "fp32")):
        assert exit_code(str(csv), "--row", "1", "--checkpoint", str(checkpoint), "--out", str(out), *more) == 0
        assert properties(out)["precision"] == precision
        kinds = {t.data_type for t in onnx.load(out).graph.initializer}
        assert (onnx.TensorProto.FLOAT16 in kinds) == (precision == "fp16")
