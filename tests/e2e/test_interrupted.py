"""Ctrl-C before a command has begun to measure, as while it opens a network: what it says is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hwnas.__main__ import main
from hwnas.cli._command import Command
from tests.e2e.conftest import Hwnas

EVALUATE = ("evaluate", "--supernet", "digits", "--sample", 2, "--out", "a.csv")
SEARCH = ("search", "--supernet", "digits", "--evaluate", "--objectives", "top1,macs", "--out", "a.csv")
BUILD = ("library", "build", "--model", "hf:m", "--data", "t.txt", "--out", "a.csv")


@pytest.mark.parametrize("journal", [None, "a.csv.journal.jsonl"])
@pytest.mark.parametrize(
    ("opens", "command"), [("load_supernet", EVALUATE), ("load_supernet", SEARCH), ("get_supernet", BUILD)]
)
def test_says_whether_the_same_command_goes_on_or_begins_again(
    hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch, opens: str, command: tuple[object, ...], journal: str | None
) -> None:
    if journal is not None:
        Path(journal).touch()
    monkeypatch.setattr(f"hwnas.supernet.{opens}", _interrupt)
    ran = hwnas(*command)
    goes_on, begins = (
        f"{journal} keeps it; the same command resumes",
        "nothing is kept yet; the same command begins again",
    )
    assert (ran.code, ran.err) == (130, f"error: interrupted: {begins if journal is None else goes_on}\n")


def _interrupt(*_: object) -> Any:
    raise KeyboardInterrupt


TERMINATED = """
import os, signal, tempfile, time
import hwnas.cli
from hwnas.__main__ import main

def command():
    with tempfile.TemporaryDirectory():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

hwnas.cli.main = command
main()
"""


def test_kill_and_timeout_leave_no_more_behind_than_ctrl_c(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TERMINATED],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, [*folder.iterdir()]) == (130, "error: interrupted\n", [])


def test_while_the_command_line_loads_it_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "hwnas.cli")
    monkeypatch.setattr(sys, "meta_path", [SimpleNamespace(find_spec=_interrupt), *sys.meta_path])
    with pytest.raises(SystemExit, match="130"):
        main()
    assert capfd.readouterr().err == "error: interrupted\n"


def test_before_a_command_begins_it_is_one_line_too(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Command, "parse_args", _interrupt)
    ran = hwnas("devices")
    assert (ran.code, ran.err) == (130, "error: interrupted\n")
