"""``hwnas train`` on texts, as it is typed: killed at any moment it ends in the same file, and tells how subnets do."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from hwnas.cli import main
from hwnas.supernet import load_supernet
from tests.supernet.hf.conftest import save, write_texts

TRAIN = (
    "train",
    "--supernet",
    "hf:../net",
    "--data",
    "../data",
    "--steps",
    "20",
    "--metric",
    "f1",
    "--out",
    "own.safetensors",
)

OFTEN = "import hwnas.study._training as t, hwnas.cli, sys; t.SAVE_EVERY = 5; hwnas.cli.main(sys.argv[1:])"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "net", "bert", classes=None)
    write_texts(tmp_path / "data")
    return tmp_path


def test_a_killed_run_ends_in_the_same_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends_well(name: str) -> None:
        monkeypatch.chdir(folder / name)
        with pytest.raises(SystemExit, match="0"):
            main([*TRAIN])

    (folder / "whole").mkdir()
    (folder / "torn").mkdir()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    state = folder / "torn" / "own.safetensors.state.safetensors"
    with subprocess.Popen([sys.executable, "-c", OFTEN, *TRAIN], cwd=folder / "torn", env=environment) as torn:
        while torn.poll() is None and not state.exists():
            time.sleep(0.005)
        torn.kill()
    assert state.exists()
    assert not (folder / "torn" / "own.safetensors").exists()
    ends_well("torn")
    ends_well("whole")
    assert (folder / "torn" / "own.safetensors").read_bytes() == (folder / "whole" / "own.safetensors").read_bytes()
    assert [path.name for path in (folder / "torn").iterdir()] == ["own.safetensors"]


def test_progress_tells_after_each_epoch_how_subnets_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    @contextmanager
    def watched(_title: str) -> Iterator[object]:
        yield lambda _step, _steps, note: told.append(note)

    monkeypatch.setattr(sys.modules["hwnas.cli.train"], "progress", watched)
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    with pytest.raises(SystemExit) as exit_:
        main([*TRAIN[:5], "--steps", "4", *TRAIN[7:]])
    assert exit_.value.code == 0
    assert len(told) == 4
    assert "f1: " not in told[0]  # two steps of 32 are an epoch of the 64 texts
    assert all(f"{name} " in told[-1].partition("f1: ")[2] for name in ("largest", "smallest", "random"))
    assert load_supernet("own.safetensors").metric == "f1"


def test_a_network_that_gives_one_answer_to_all_is_told_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    told = {}
    for rate, steps in (("10", "4"), ("0.001", "40")):
        train = [*TRAIN[:5], "--steps", steps, "--learning-rate", rate]
        with pytest.raises(SystemExit, match="0"):
            main([*train, "--out", f"{rate}.safetensors"])
        told[rate] = [line for line in capfd.readouterr().err.splitlines() if "all its answers" in line]
    (line,) = told["10"]
    expected = r"largest subnet: all its answers are \w+, as \d+ % of the \d+ texts are; lower --learning-rate 10, train longer"
    assert re.match(expected, line)
    assert not told["0.001"]


def test_a_worker_that_is_killed_ends_the_run_in_one_line_and_any_number_of_workers_resumes_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    monkeypatch.setattr("hwnas.study._training.SAVE_EVERY", 2)
    deaths = iter([5])

    @contextmanager
    def watched(_title: str) -> Iterator[object]:
        death = next(deaths, None)

        def advance(step: int, _steps: int, _note: str) -> None:
            if step == death:  # heads are sorted after the second step
                (worker,) = multiprocessing.active_children()
                worker.kill()

        yield advance

    monkeypatch.setattr(sys.modules["hwnas.cli.train"], "progress", watched)
    train = [*TRAIN[:5], "--steps", "8", *TRAIN[7:-1]]

    def run(*args: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as exit_:
            main([*train, *args])
        return exit_.value.code, capfd.readouterr().err

    code, told = run("own.safetensors", "--workers", "2")
    assert code == 2
    line = "error: --workers 2: a worker died (SIGKILL, out of memory?); run the same command again, which resumes"
    assert told.splitlines()[-1] == line
    assert told.count("it has no head") == 1  # the other workers say nothing
    assert [path.name for path in Path().iterdir()] == ["own.safetensors.state.safetensors"]
    code, told = run("own.safetensors")
    assert code == 0
    assert "holds a run stopped after 4 of 8 steps" in told
    assert run("whole.safetensors")[0] == 0
    resumed, whole = (load_supernet(f"{name}.safetensors") for name in ("own", "whole"))
    for name, tensor in whole.tensors.items():
        torch.testing.assert_close(resumed.tensors[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (None, "it has no head that classifies texts: a new one is made for the 2 of data"),
        (1, "the head for 1 class is replaced by one for the 2 of data"),  # which told a number
        (2, "the head for 2 other classes is replaced by one for the 2 of data"),
    ],
)
def test_it_says_what_becomes_of_the_head(
    classes: int | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Callable[..., tuple[int, str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("net"), "bert", classes=classes)
    write_texts(Path("data"), 8)
    code, said = ran("train", "--supernet", "hf:net", "--data", "data", "--steps", "1", "--out", "own.safetensors")
    assert code == 0
    assert told in said.splitlines()


def test_numbers_of_workers_that_cannot_be_are_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    with pytest.raises(SystemExit, match="2"):
        main([*TRAIN, "--workers", "0"])
    assert capfd.readouterr().err == "error: --workers 0: at least 1 is needed; raise it, or leave it out\n"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with pytest.raises(SystemExit, match="2"):
        main([*TRAIN, "--workers", "2"])
    assert capfd.readouterr().err == "error: --workers 2: torchrun sets the number of processes; drop it\n"
    assert not list(Path().iterdir())
