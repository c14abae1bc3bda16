"""``hwnas train`` on texts, as it is typed: killed at any moment it ends in the same file, and tells how subnets do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
    "60",
    "--metric",
    "f1",
    "--out",
    "own.safetensors",
)

OFTEN = "import sys, hwnas.cli; sys.modules['hwnas.cli.train'].SAVE_EVERY = 5; hwnas.cli.main(sys.argv[1:])"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "net", "bert", classes=None)
    write_texts(tmp_path / "data")
    return tmp_path


def start(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", OFTEN, *TRAIN], cwd=folder, env=environment)


def test_a_killed_run_ends_in_the_same_file(folder: Path) -> None:
    assert start(folder / "whole").wait() == 0
    torn = start(folder / "torn")
    state = folder / "torn" / "own.safetensors.state.safetensors"
    while torn.poll() is None and not state.exists():
        time.sleep(0.005)
    torn.send_signal(signal.SIGKILL)
    torn.wait()
    assert state.exists()
    assert not (folder / "torn" / "own.safetensors").exists()
    assert start(folder / "torn").wait() == 0
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
