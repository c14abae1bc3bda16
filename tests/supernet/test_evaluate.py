"""Measured accuracy: what is computed, what is remembered, and what the command writes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hwnas.cli import main
from hwnas.errors import SupernetError
from hwnas.io import Journal
from hwnas.supernet import (
    Accuracy,
    MeasuredAccuracy,
    MeasuredAnswers,
    Supernet,
    accuracy_journal_identity,
    calibrated,
    evaluate,
    recalibrate,
)
from hwnas.supernet.engine import Engine, get_engine
from hwnas.task import Estimate, ImageFolder, Sampling, Task, scored_by
from tests.supernet.conftest import OWN


@pytest.fixture
def data(image_folder: Path) -> ImageFolder:
    return ImageFolder(image_folder, 10, Sampling(50, 24, 16))


def test_accuracy_is_counted_after_recalibration(own_supernet: Supernet, data: ImageFolder):
    row = own_supernet.space.sample(1, np.random.default_rng(3))[0]
    found = evaluate(own_supernet, row, data)
    subnet = own_supernet.extract(row)
    assert recalibrate(subnet, data.calibration(subnet.inputs)) == found.n_calibration == 24
    with torch.no_grad():
        hits = [(subnet(x).argmax(1) == labels).tolist() for x, labels in data.validation(subnet.inputs)]
    flat = [hit for batch in hits for hit in batch]
    assert found.n_images == len(flat) == 50
    assert found.value == pytest.approx(100 * np.mean(flat))


def test_each_distinct_subnet_is_evaluated_once_and_the_journal_remembers(
    own_supernet: Supernet, data: ImageFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    x = own_supernet.space.sample(4, np.random.default_rng(0))
    x = np.concatenate([x, x[::-1]])
    calls = []

    def counted(net: Supernet, row: np.ndarray, task: Task, engine: Engine) -> Accuracy:
        calls.append(row)
        return evaluate(net, row, task, engine)

    monkeypatch.setattr("hwnas.supernet._measured_accuracy.evaluate", counted)
    identity = accuracy_journal_identity(own_supernet, {"seed": 0})
    with Journal(tmp_path / "j", identity) as journal:
        first = MeasuredAccuracy(own_supernet, data, journal)(x)
    assert len(calls) == 4
    assert first[:4].tolist() == first[:3:-1].tolist()
    with Journal(tmp_path / "j", identity) as journal:
        assert MeasuredAccuracy(own_supernet, data, journal)(x).tolist() == first.tolist()
    assert len(calls) == 4


def test_a_subnet_that_measures_no_number_fails_and_may_be_skipped(
    own_supernet: Supernet, data: ImageFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    row = own_supernet.space.sample(1, np.random.default_rng(0))
    monkeypatch.setattr("hwnas.supernet._evaluate.measured", lambda *_: (float("nan"), 50))
    with pytest.raises(SupernetError, match="nan: it must be a finite number"):
        evaluate(own_supernet, row[0], data)
    with Journal(tmp_path / "j", accuracy_journal_identity(own_supernet, {"seed": 0})) as journal:
        skipping = MeasuredAccuracy(own_supernet, data, journal, skip_failed=True)
        assert skipping.accuracies(row) == [None]
        assert skipping.has_failed(row).all()
    monkeypatch.setattr("hwnas.supernet._evaluate.measured", lambda *_: (250.0, 50))
    with pytest.raises(SupernetError, match=r"top1 250: it lies within 0\.\.100"):
        evaluate(own_supernet, row[0], data)
    monkeypatch.setattr("hwnas.supernet._evaluate.measured", lambda *_: (100 + 1e-13, 50))
    assert evaluate(own_supernet, row[0], data).value == 100


def test_a_subnet_that_failed_has_value_and_error_of_the_worst(
    own_supernet: Supernet, data: ImageFolder, monkeypatch: pytest.MonkeyPatch
):
    x = own_supernet.space.sample(3, np.random.default_rng(0))
    told = iter([(Estimate(60, std=4), 50), (float("nan"), 50), (Estimate(50, std=5), 50)])
    monkeypatch.setattr("hwnas.supernet._evaluate.measured", lambda *_: next(told))
    accuracy = MeasuredAccuracy(own_supernet, scored_by(data, "f1"), skip_failed=True)
    accuracy(x)
    failed = accuracy.has_failed(x)
    assert accuracy(x[failed]).tolist() == [50]
    errors = accuracy.errors(x)
    assert errors is not None
    assert errors[failed].tolist() == [5]
    assert sorted(errors.tolist()) == [4, 5, 5]


def arguments(checkpoint: Path, images: Path, out: Path, *more: str) -> list[str]:
    sizes = ("--images", "40", "--calibrate", "16", "--batch-size", "8")
    names = ("--supernet", OWN, "--checkpoint", str(checkpoint), "--data", str(images), "--out", str(out))
    return ["evaluate", *names, *sizes, *more]


@pytest.fixture
def checkpoint(own_supernet: Supernet, tmp_path: Path) -> Path:
    own_supernet.save(tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


def exit_code(args: list[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        main(args)
    return int(caught.value.code or 0)


def test_command_killed_at_any_moment_resumes(checkpoint: Path, image_folder: Path, tmp_path: Path):
    whole, killed = tmp_path / "whole.csv", tmp_path / "killed.csv"
    assert exit_code(arguments(checkpoint, image_folder, whole, "--sample", "12", "--fix", "r=32")) == 0
    journal = tmp_path / "killed.csv.journal.jsonl"
    args = arguments(checkpoint, image_folder, killed, "--sample", "12", "--fix", "r=32")
    process = subprocess.Popen([sys.executable, "-c", "from hwnas.cli import main; main()", *args])
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and (not journal.exists() or journal.read_bytes().count(b"\n") < 4):
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    with journal.open("ab") as stream:  # what a kill in the middle of a write leaves
        stream.write(b'{"arch": {"d": [1')
    assert exit_code(args) == 0
    assert killed.read_bytes() == whole.read_bytes()
    archs = [json.dumps(json.loads(line)["arch"]) for line in journal.read_text().splitlines()[1:]]
    assert len(archs) == len(set(archs)) == 12


def test_command_reads_archs_and_writes_what_fit_reads(
    checkpoint: Path, image_folder: Path, tmp_path: Path, own_supernet: Supernet, capsys: pytest.CaptureFixture[str]
):
    space = own_supernet.space
    given = [space.decode(row) for row in space.sample(3, np.random.default_rng(5))]
    pd.DataFrame({"arch": [json.dumps(arch) for arch in given]}).to_csv(tmp_path / "archs.csv", index=False)
    out = tmp_path / "accuracy.csv"
    assert exit_code(arguments(checkpoint, image_folder, out, "--archs", str(tmp_path / "archs.csv"))) == 0
    frame = pd.read_csv(out)
    assert list(frame.columns) == ["arch", "top1", "n_images", "n_calibration"]
    assert [json.loads(arch) for arch in frame["arch"]] == given
    assert set(frame["n_calibration"]) == {16}
    assert "batch norms re-calibrated on 16" in capsys.readouterr().err


def test_what_other_images_have_told_is_not_taken_up(
    checkpoint: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(image_folder, tmp_path / "photos")
    args = arguments(checkpoint, tmp_path / "photos", tmp_path / "a.csv", "--sample", "1", "--fix", "r=32")
    assert exit_code(args) == 0
    next((tmp_path / "photos" / "val").glob("*/*.jpg")).unlink()
    assert exit_code(args) == 2
    assert "a.csv.journal.jsonl: it was begun with samples" in capsys.readouterr().err


def test_bad_input_is_one_line_and_exit_2(
    checkpoint: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out.csv"
    (tmp_path / "empty").mkdir()
    alien = tmp_path / "alien.csv"
    alien.write_text('arch\n"{""d"": [9, 1, 1], ""e"": [1, 1, 1, 1, 1, 1], ""r"": 32}"\n')
    cases = [
        (arguments(checkpoint, image_folder, out), "--archs and --sample"),
        (arguments(checkpoint, tmp_path / "empty", out, "--sample", "1"), "no class folders"),
        (arguments(checkpoint, image_folder, out, "--archs", str(alien)), "row 1"),
        (arguments(tmp_path / "missing.pth", image_folder, out, "--sample", "1"), "no such file"),
        (["evaluate", "--supernet", "ofa_mbv3", "--sample", "1", "--out", str(out)], "did you mean 'ofa_mbv3_w1."),
        (["evaluate", "--supernet", f"{OWN}s", "--sample", "1", "--out", str(out)], "has no OwnSupernets"),
        (["evaluate", "--supernet", "os:path", "--sample", "1", "--out", str(out)], "not a subclass"),
        (["evaluate", "--supernet", "no.such:Net", "--sample", "1", "--out", str(out)], "cannot be imported"),
    ]
    for args, expected in cases:
        capsys.readouterr()
        assert exit_code(args) == 2, args
        message = capsys.readouterr().err
        assert expected in message
        assert message.count("\n") == 1
    assert not out.exists()


def test_shares_tell_what_all_samples_tell_together(
    own_supernet: Supernet, data: ImageFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whatever the shares; and batch norms are re-calibrated once for each subnet."""
    row = own_supernet.space.sample(1, np.random.default_rng(3))[0]
    order, engine, calls = np.random.default_rng(0).permutation(50), get_engine(), []

    def counted(*args):
        calls.append(args)
        return calibrated(*args)

    monkeypatch.setattr("hwnas.supernet._answers.calibrated", counted)
    with Journal(tmp_path / "j", {}) as journal:
        answers = MeasuredAnswers(own_supernet, data, journal, engine)
        told = np.zeros(50, dtype=np.float16)
        for start, stop in ((0, 3), (3, 20), (20, 50)):
            (margins,) = answers(row[None], order[None, start:stop], start)
            assert margins is not None
            told[order[start:stop]] = margins
    assert len(calls) == 1
    assert 100 * (told > 0).sum() / 50 == evaluate(own_supernet, row, data, engine).value
    with Journal(tmp_path / "k", {}) as journal:
        (whole,) = MeasuredAnswers(own_supernet, data, journal, engine)(row[None], np.arange(50)[None], 0)
    assert whole is not None
    assert ((whole > 0) == (told > 0)).all()
    assert whole == pytest.approx(told, rel=2e-3)  # batches of other sizes round differently
    with Journal(tmp_path / "j", {}) as journal:
        again = MeasuredAnswers(own_supernet, data, journal, engine)
        assert (again.n_known, again.n_calibration) == (1, 24)
        (margins,) = again(row[None], order[None, 3:20], 3)
        (others,) = again(row[None], order[None, 20:37], 3)  # of another race, in an order of its own
    assert margins is not None
    assert margins.tolist() == told[order[3:20]].tolist()
    assert others is not None
    assert ((others > 0) == (told[order[20:37]] > 0)).all()
    assert len(calls) == 3


def test_batches_are_made_where_the_engine_is(
    own_supernet: Supernet, data: ImageFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    row, engine, asked = own_supernet.space.sample(1, np.random.default_rng(3))[0], get_engine(), []
    made_on = ImageFolder.made_on

    def noted(folder: ImageFolder, device: torch.device) -> ImageFolder:
        asked.append(device)
        return made_on(folder, device)

    monkeypatch.setattr(ImageFolder, "made_on", noted)
    evaluate(own_supernet, row, data, engine)
    assert set(asked) == {engine.device}
    asked.clear()
    with Journal(tmp_path / "j", {}) as journal:
        answers = MeasuredAnswers(own_supernet, data, journal, engine)
        answers(row[None], np.arange(3)[None], 0)
        asked.clear()
        answers(row[None], np.arange(3, 9)[None], 3)  # its batch norms are calibrated already
    assert asked == [engine.device]
