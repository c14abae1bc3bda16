"""``hwnas train`` interrupted: what it says is kept, and what the same command does then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hwnas.files import only_writer
from hwnas.supernet import Trainer
from tests.e2e.conftest import Hwnas

TRAIN = ("train", "--supernet", "digits", "--steps", "3", "--out", "own.safetensors")


def test_interrupted_before_the_first_step_it_begins_again(
    hwnas: Hwnas, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as interrupted:
        interrupted.setattr("hwnas.study._training.Training.trainer", _interrupt)
        ran = hwnas(*TRAIN)
    assert (ran.code, ran.err) == (130, "error: interrupted: nothing is kept yet; the same command begins again\n")
    assert not list(folder.iterdir())


def test_interrupted_between_two_states_it_resumes(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwnas.study._training.SAVE_EVERY", 2)
    with monkeypatch.context() as interrupted:
        step = Trainer._train_step

        def until_the_last(trainer: Trainer, plan: Any) -> float:
            return step(trainer, plan) if trainer.step < 2 else _interrupt()

        interrupted.setattr(Trainer, "_train_step", until_the_last)
        ran = hwnas(*TRAIN)
    state = "own.safetensors.state.safetensors"
    assert (ran.code, ran.err) == (130, f"error: interrupted: {state} keeps it; the same command resumes\n")
    ran = hwnas(*TRAIN)
    assert ran.code == 0, ran.err
    assert f"{state} holds a run stopped after 2 of 3 steps, which resumes" in ran.err


def test_two_runs_do_not_train_into_one_file(hwnas: Hwnas, folder: Path) -> None:
    with only_writer(folder / "own.safetensors"):
        ran = hwnas(*TRAIN)
    told = "error: output own.safetensors: another process is making it; wait for it, or choose another path\n"
    assert (ran.code, ran.err) == (2, told)
    assert not list(folder.iterdir())


def _interrupt(*_: object) -> Any:
    raise KeyboardInterrupt
