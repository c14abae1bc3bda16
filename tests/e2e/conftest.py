"""The command line in this process, isolated: an empty folder, no colour, 80 columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwnas.cli import main


@dataclass(frozen=True)
class Ran:
    """What one command did: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Hwnas = Callable[..., Ran]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def hwnas(capfd: pytest.CaptureFixture[str]) -> Hwnas:
    """``hwnas("search", "--latency", "20ms") -> Ran``."""

    def run(*args: object) -> Ran:
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(a) for a in args])
        out, err = capfd.readouterr()
        assert isinstance(exit_.value.code, int)
        return Ran(exit_.value.code, out, err)

    return run
