"""A network of the user's own from an ONNX file, from what is elastic to a subnet as a file, by the commands of the documents."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest

from hwnas.supernet import load_supernet, parent_row
from tests.convolutional import exported, initialised, resnet
from tests.e2e.conftest import Hwnas


@pytest.fixture
def mine(folder: Path) -> Path:
    """A residual network of two stages for images of 32 x 32."""
    return exported(initialised(resnet((1, 2), 8, bottleneck=False)), folder / "mine.onnx", fold=False, size=32)


def test_from_a_file_to_a_subnet_on_own_classes(hwnas: Hwnas, mine: Path, image_folder: Path) -> None:
    told = hwnas("spaces", "--space", mine.name)
    assert told.code == 0
    assert "3 e, 1 d, 1 r" in told.out

    data = ("--data", image_folder)
    ran = hwnas("train", "--supernet", mine.name, *data, "--epochs", 1, "--batch-size", 20, "--out", "own.safetensors")
    assert ran.code == 0, ran.err
    assert "the head stays: it has 10 classes" in ran.err
    mine.unlink()  # the trained file is a network of its own

    few = ("--images", 20, "--calibrate", 20)
    space = json.loads(hwnas("spaces", "--space", "own.safetensors", "--json").out)[0]["name"]
    assert space.startswith("mine.")
    ran = hwnas("evaluate", "--supernet", "own.safetensors", *data, *few, "--sample", 3, "--out", "accuracy.csv")
    assert ran.code == 0, ran.err
    assert len(pd.read_csv("accuracy.csv")) == 3

    search = ("--evaluate", "--evals", 8, "--objectives", "top1,macs", "--out", "front.csv")
    ran = hwnas("search", "--supernet", "own.safetensors", *data, *few, *search)
    assert ran.code == 0, ran.err
    ran = hwnas("export", "front.csv", "--row", 1, *data, "--calibrate", 20, "--out", "chosen.onnx")
    assert ran.code == 0, ran.err
    properties = {entry.key: entry.value for entry in onnx.load("chosen.onnx").metadata_props}
    assert properties["space"] == space
    assert len(json.loads(properties["labels"])) == 10
    session = ort.InferenceSession("chosen.onnx")
    size = session.get_inputs()[0].shape[2]
    assert session.run(None, {"input": np.zeros((1, 3, size, size), np.float32)})[0].shape == (1, 10)


def test_a_network_without_batch_norms_is_calibrated_on_the_data(
    hwnas: Hwnas, folder: Path, image_folder: Path
) -> None:
    plain = exported(initialised(resnet((1, 1), 8, bottleneck=False)), folder / "plain.onnx", fold=True, size=32)
    space = load_supernet(plain.name).space
    arch = json.dumps(space.decode(parent_row(space)))
    few = ("--data", image_folder, "--calibrate", 20, "--precision", "int8", "--agreement", 1)
    ran = hwnas("export", "--supernet", plain.name, "--arch", arch, *few, "--out", "plain8.onnx")
    assert ran.code == 0, ran.err
    properties = {entry.key: entry.value for entry in onnx.load("plain8.onnx").metadata_props}
    assert properties["calibration"] == f"20 images of {image_folder}"


def test_a_name_in_capitals_is_of_the_same_kind(hwnas: Hwnas, mine: Path, image_folder: Path) -> None:
    """As other systems write names."""
    mine.rename("MINE.ONNX")
    space = json.loads(hwnas("spaces", "--space", "MINE.ONNX", "--json").out)[0]["name"]
    few = ("--data", image_folder, "--steps", 1, "--batch-size", 2)
    ran = hwnas("train", "--supernet", "MINE.ONNX", *few, "--out", "OWN.SAFETENSORS")
    assert ran.code == 0, ran.err
    assert json.loads(hwnas("spaces", "--space", "OWN.SAFETENSORS", "--json").out)[0]["name"].startswith(
        space.split(".")[0]
    )


def test_what_cannot_be_a_supernet(hwnas: Hwnas, mine: Path, image_folder: Path) -> None:
    content = mine.read_bytes()
    model = onnx.load(mine)
    next(node for node in model.graph.node if node.op_type == "MaxPool").op_type = "LpPool"
    Path("odd.onnx").write_bytes(model.SerializeToString())
    Path("cut.onnx").write_bytes(content[:-1000])
    for file, words in (
        ("odd.onnx", "(LpPool): hwnas cannot read"),
        ("cut.onnx", "as ONNX"),
        ("no.onnx", "no such file"),
    ):
        for command in (
            ("spaces", "--space", file),
            ("profile", "--space", file),
            ("train", "--supernet", file, "--data", image_folder, "--out", "x.safetensors"),
            ("search", "--space", file, "--objectives", "params,macs"),
        ):
            ran = hwnas(*command)
            assert ran.code == 2, ran.out
            assert words in ran.err.splitlines()[-1]
            assert ran.err.count("error:") == 1
            assert "Traceback" not in ran.err
    assert not Path("x.safetensors").exists()
    other = exported(initialised(resnet((1, 1), 8, bottleneck=False)), Path("other.onnx"), fold=False, size=32)
    ran = hwnas(
        "evaluate",
        "--supernet",
        mine.name,
        "--checkpoint",
        other,
        "--data",
        image_folder,
        "--sample",
        1,
        "--out",
        "a.csv",
    )
    assert ran.code == 2
    assert "its network is not mine." in ran.err


def test_images_that_it_cannot_be_shown_are_refused_before_the_work_begins(
    hwnas: Hwnas, mine: Path, image_folder: Path
) -> None:
    model = onnx.load(mine)
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 48
    Path("wide.onnx").write_bytes(model.SerializeToString())
    data = ("--supernet", "wide.onnx", "--data", image_folder)
    for command in (
        ("train", *data, "--out", "x.safetensors"),
        ("search", *data, "--evaluate", "--evals", 8),  # for latency, whose table would be made first
        ("evaluate", *data, "--sample", 1, "--out", "a.csv"),
    ):
        ran = hwnas(*command)
        assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
        assert "its images are RGB and cut square, and the network is fed 3x32x48" in ran.err
