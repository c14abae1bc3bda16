"""Macro F1 and Matthews' correlation of any classifier: chosen where it is trained, evaluated or searched, and remembered."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.metrics import f1_score, matthews_corrcoef

from hwnas.errors import SupernetError, UnknownNameError
from hwnas.supernet import Supernet, evaluate, extremes, get_engine, load_supernet
from hwnas.task import Task
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Hwnas


def told(net: Supernet, data: Task) -> tuple[list[int], list[int]]:
    """Labels, and what the largest subnet answers."""
    subnet = net.extract(extremes(net.space)[1])
    run = get_engine().runner(subnet, lambda: data.calibration(subnet.inputs))
    batches = [(labels, run(inputs).argmax(1)) for inputs, labels in data.validation(subnet.inputs)]
    true, answered = (torch.cat(list(part)).tolist() for part in zip(*batches, strict=True))
    return true, answered


def test_a_supernet_with_images_of_its_own(hwnas: Hwnas) -> None:
    ran = hwnas("train", "--supernet", "digits", "--steps", 2, "--metric", "f1", "--out", "own.safetensors")
    assert ran.code == 0, ran.err
    assert "largest subnet: " in ran.err
    assert ", f1 " in ran.err
    ran = hwnas("evaluate", "--supernet", "own.safetensors", "--sample", 2, "--out", "f1.csv")
    assert ran.code == 0, ran.err
    assert "--metric f1" in ran.err.splitlines()[-1]
    assert list(pd.read_csv("f1.csv").columns)[:2] == ["arch", "f1"]
    ran = hwnas("evaluate", "--supernet", "digits", "--metric", "mcc", "--sample", 2, "--out", "mcc.csv")
    assert ran.code == 0, ran.err
    assert pd.read_csv("mcc.csv")["mcc"].between(0.3, 1).all()


def test_a_search_goes_by_the_score_among_its_objectives(hwnas: Hwnas) -> None:
    search = ("search", "--supernet", "digits", "--evaluate", "--evals", 8, "--searcher", "random", "--out", "a.csv")
    ran = hwnas(*search, "--objectives", "f1,mcc,macs")
    assert ran.code == 2
    ran = hwnas(*search, "--objectives", "f1,macs")
    assert ran.code == 0, ran.err
    assert {"f1", "f1_source"} <= set(pd.read_csv("a.csv").columns)
    ran = hwnas("export", "a.csv", "--row", 1, "--out", "a.onnx")
    assert ran.code == 0, ran.err
    assert "f1 " in ran.err
    ran = hwnas(*search[:-1], "race.csv", "--objectives", "f1,macs", "--racing")
    assert ran.code == 2
    assert "f1 is not the share of correct samples" in ran.err


SEARCH = ("search", "--supernet", "digits", "--evaluate", "--engine", "onnxruntime", "--searcher", "random")


@pytest.mark.parametrize(("metric", "unit"), [("top1", " points"), ("mcc", "")])
def test_errors_of_percentages_are_told_in_points(metric: str, unit: str, hwnas: Hwnas) -> None:
    ran = hwnas(*SEARCH, "--evals", 8, "--objectives", f"{metric},macs", "--out", "a.csv")
    assert re.search(rf"the choice of 600 moves one by about [\d.]+{unit}, so the best of", ran.err), ran.err


@pytest.mark.parametrize("metric", ["f1", "mcc"])
def test_the_front_is_of_what_is_expected(metric: str, hwnas: Hwnas) -> None:
    ran = hwnas(*SEARCH, "--evals", 20, "--objectives", f"{metric},macs", "--out", "a.csv")
    assert ran.code == 0, ran.err
    assert f"values of {metric} are those expected on other images" in ran.err
    frame = pd.read_csv("a.csv")
    source = "expected by 20 subnets measured on 600 images of digits"
    assert set(frame[f"{metric}_source"]) == {source}
    entries = [json.loads(line) for line in Path("a.csv.journal.jsonl").read_text().splitlines()[1:]]
    known = {json.dumps(entry["arch"]): entry for entry in entries}
    found = [known[arch] for arch in frame["arch"]]
    assert frame[f"{metric}_measured"].tolist() == pytest.approx([entry[metric] for entry in found], abs=1e-5)
    errors = np.array([entry[f"{metric}_std"] for entry in found])
    assert (frame[f"{metric}_std"] > 0).all()
    assert (frame[f"{metric}_std"] < 1.5 * errors).all()
    assert (np.abs(frame[metric] - frame[f"{metric}_measured"]) < 4 * errors).all()
    whole = Path("a.csv").read_bytes()
    assert hwnas(*SEARCH, "--evals", 20, "--objectives", f"{metric},macs", "--out", "a.csv").code == 0
    assert Path("a.csv").read_bytes() == whole
    assert hwnas("report", "a.csv", "--html").code == 0
    ran = hwnas("evaluate", "--supernet", "digits", "--metric", metric, "--archs", "a.csv", "--out", "b.csv")
    assert ran.code == 0, ran.err
    again = pd.read_csv("b.csv")
    assert list(again.columns) == ["arch", metric, f"{metric}_std", "n_images", "n_calibration"]
    assert again[f"{metric}_std"].tolist() == pytest.approx(errors, abs=1e-5)


def test_a_journal_of_before_without_errors_is_searched_by_what_was_measured(hwnas: Hwnas) -> None:
    shutil.copy(REPOSITORY / "tests/fixtures/accuracy/f1_without_errors.journal.jsonl", "old.csv.journal.jsonl")
    for evals in (8, 10):
        ran = hwnas(*SEARCH, "--evals", evals, "--objectives", "f1,macs", "--out", "old.csv")
        assert ran.code == 0, ran.err
        frame = pd.read_csv("old.csv")
        assert set(frame["f1_source"]) == {"measured on 600 images of digits"}
        assert "f1_std" not in frame
    lines = Path("old.csv.journal.jsonl").read_text().splitlines()[1:]
    assert ["f1_std" in json.loads(line) for line in lines] == [False] * 8 + [True] * 2


def test_a_folder_of_images(tmp_path: Path) -> None:
    from tests.supernet.hf.conftest import save_images

    save_images(tmp_path / "net", "vit")
    rng = np.random.default_rng(0)
    for label in range(3):
        folder = tmp_path / "photos" / "val" / f"class {label}"
        folder.mkdir(parents=True)
        for i in range(2 + 3 * label):
            Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    plain = load_supernet(f"hf:{tmp_path / 'net'}")
    assert list(plain.open_data(tmp_path / "photos").metrics) == ["top1"]
    for name, score in (("f1", lambda t, a: 100 * f1_score(t, a, average="macro")), ("mcc", matthews_corrcoef)):
        net = plain.with_metric(name)
        data = net.open_data(tmp_path / "photos")
        assert list(data.metrics) == [name]
        expected = score(*told(net, data))
        assert evaluate(net, extremes(net.space)[1], data).value == pytest.approx(expected, abs=1e-6)
        net.save(tmp_path / "own.safetensors")
        assert load_supernet(str(tmp_path / "own.safetensors")).metric == name


def test_names_that_are_no_score_are_refused(hwnas: Hwnas) -> None:
    with pytest.raises(UnknownNameError, match="f1"):
        load_supernet("digits").with_metric("f2")
    ran = hwnas("evaluate", "--supernet", "digits", "--metric", "f2", "--sample", 1, "--out", "a.csv")
    assert (ran.code, "f1" in ran.err) == (2, True)

    class Own(type(load_supernet("digits"))):  # type: ignore[misc]
        metric = "recall"

    with pytest.raises(SupernetError, match="measured by its recall"):
        Own.random().with_metric("f1")


def test_files_of_before_tell_their_metric_in_their_description(tmp_path: Path) -> None:
    from tests.supernet.hf.conftest import save

    save(tmp_path / "net", "bert")
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    description = json.loads(net.outline()["encoder"]) | {"metric": "mcc"}
    del description["widths"]
    about = {"supernet": net.reference, "space": net.space.name, "encoder": json.dumps(description), "labels": "[]"}
    save_file(net.tensors, tmp_path / "old.safetensors", about)
    assert load_supernet(str(tmp_path / "old.safetensors")).metric == "mcc"
