"""A checkpoint of Once-for-All on ten classes of the user's: fine-tuned, searched by measured accuracy, deployed."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from hwnas.supernet import get_supernet
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Hwnas

FEW = ("--images", 2, "--calibrate", 2, "--batch-size", 2)


def test_from_a_checkpoint_to_a_folder(
    hwnas: Hwnas, image_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = ("--data", image_folder)
    net = get_supernet("ofa_mbv3_w1.0").random(seed=0)
    state = {
        net.checkpoint_key(name): tensor
        for name, tensor in net.with_head([f"n{i:04d}" for i in range(10)]).tensors.items()
    }
    torch.save({"state_dict": state}, "ten.pth")
    given = ("--supernet", "ofa_mbv3_w1.0", "--checkpoint", "ten.pth", *data)
    ran = hwnas("evaluate", *given, *FEW, "--sample", 1, "--fix", "r=128", "--out", "before.csv")
    assert ran.code == 0, ran.err
    assert "--space ofa_mbv3_w1.0-c10" in ran.err

    monkeypatch.setattr("hwnas.study._training.VALIDATION", 2)
    monkeypatch.setattr("hwnas.study._training.CALIBRATION", 2)
    ran = hwnas("train", *given, "--steps", 1, "--batch-size", 2, "--out", "own.safetensors")
    assert ran.code == 0, ran.err
    assert "the head stays: it has 10 classes" in ran.err

    own = ("--supernet", "own.safetensors", *data, *FEW, "--fix", "r=128")
    ran = hwnas("search", *own, "--evaluate", "--evals", 8, "--objectives", "top1,macs")
    assert ran.code == 0, ran.err
    assert pd.read_csv("pareto.csv")["top1_source"].str.contains("measured on 2 images of ").all()
    ran = hwnas("export", "pareto.csv", "--row", 1, *data, *FEW, "--out", "deploy")
    assert ran.code == 0, ran.err
    assert json.loads(Path("deploy/preprocessor_config.json").read_text())["crop_size"] == {"height": 128, "width": 128}
    monkeypatch.setattr(sys, "argv", ["classify_images.py", "deploy", str(image_folder / "val" / "n0000" / "0.jpg")])
    capfd.readouterr()
    runpy.run_path(str(REPOSITORY / "examples" / "classify_images.py"), run_name="__main__")
    assert capfd.readouterr().out.startswith("n00")
