"""Terminals that lack characters, or width: real processes, a real terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from typer.main import get_command

from hwnas.cli import app, main
from hwnas.cli._terminal import spelled
from hwnas.latency import Measurement
from hwnas.report import pareto_frame, with_measured, write_pareto
from hwnas.space import get_space
from tests.cli.commands import COMMANDS

SEVERAL = """
import sys
from hwnas.cli import app, main
commands = [[], *([c.callback.__name__] for c in app.registered_commands)]
fine = [*([*c, "--help"] for c in commands), ["--version"], ["report", "front.csv"]]
for words, code in [*((words, 0) for words in fine), (["search", "--latency", sys.argv[1]], 2)]:
    try:
        main(words)
    except SystemExit as end:
        assert end.code == code, words
"""
TWO_WIDTHS = """
import fcntl, struct, sys, termios
from hwnas.cli import main
for columns in (40, 200):
    fcntl.ioctl(sys.stdout, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    try:
        main(["report", "front.csv"])
    except SystemExit as end:
        assert end.code == 0
    print("-----", flush=True)
"""
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@given(st.text())
def test_any_text_can_be_spelled(text: str) -> None:
    assert spelled(text).isascii()


def test_signs_keep_their_meaning() -> None:
    assert spelled("93 ±0.5 µs ≤ 2 × 10, Größe, 中") == "93 +/-0.5 us <= 2 x 10, Grosse, ?".replace("ss", "?")


@pytest.fixture
def front(tmp_path: Path) -> Path:
    """A measured front of three subnets, with every column that there is."""
    space = get_space("ofa_mbv3_w1.0")
    values = np.arange(3.0)
    metrics = {
        "top1": 70 + values,
        "top1_std": 0.1 + values,
        "latency_ms": 5 + values,
        "macs": 1e8 + values,
        "params": 5e6 + values,
        "memory_bytes": 2e6 + values,
    }
    frame = pareto_frame(space.decode_many(space.sample(3, np.random.default_rng(0))), metrics)
    measured = [Measurement(5.1, 5.3, 5.1, 9)] * 3
    write_pareto(with_measured(frame, range(3), measured, 6.0), tmp_path / "front.csv")
    return tmp_path / "front.csv"


def ran(arguments: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LC_ALL", "LANG")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=variables | environment, capture_output=True, check=False
    )


MAIN = ["-c", "from hwnas.cli import main; main()"]


def test_an_ascii_terminal_is_shown_ascii(front: Path) -> None:
    done = ran(["-c", SEVERAL, "20 Sekündchen"], front.parent, **ASCII)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert done.stderr.isascii()
    assert b"Usage: hwnas search" in done.stdout
    assert b"+/-" in done.stdout
    assert b"Sek" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_full_disk_behind_stdout_gets_one_line(front: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, *MAIN, "report", "front.csv"], cwd=front.parent, stdout=full, stderr=-1, check=False
        )
    assert done.returncode == 2
    assert done.stderr == b"error: stdout: it cannot be written (No space left on device); free space where it goes\n"


def shown(folder: Path) -> list[list[str]]:
    """Lines that ``hwnas report`` writes to a terminal of 40 columns, and of 200."""
    ours, theirs = pty.openpty()
    variables = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", TWO_WIDTHS], cwd=folder, env=variables, stdin=theirs, stdout=theirs
    )
    os.close(theirs)
    read = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # closed at the other end
            break
        if not chunk:
            break
        read += chunk
    os.close(ours)
    assert process.wait() == 0
    return [part.splitlines() for part in re.sub(r"\x1b\[[0-9;]*m", "", read.decode()).split("-----")[:2]]


def test_a_narrow_terminal_is_shown_fewer_columns_instead_of_cut_ones(front: Path) -> None:
    narrow, wide = shown(front.parent)
    assert max(len(line) for line in narrow if "wrote" not in line) <= 40
    text = "\n".join(narrow)
    assert "…" not in text
    assert "..." not in text
    assert {"Row", "Top-1", "Measured"} <= set(text.split())
    assert "72.00" in text
    assert "no room for" in text
    assert "no room for" not in "\n".join(wide)
    assert "Memory" in "\n".join(wide)


@pytest.mark.parametrize("columns", [30, 40, 60, 80])
def test_help_shows_every_option_whole(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.callback.__name__
        with pytest.raises(SystemExit):
            main([name, "--help"])
        shown = capsys.readouterr().out
        options = [o for param in get_command(app).commands[name].params for o in param.opts if o.startswith("--")]  # type: ignore[attr-defined]
        assert not [option for option in options if not re.search(rf"{option}\b", shown)]
        assert "\\[" not in shown


@pytest.mark.parametrize("words", COMMANDS)
def test_no_words_of_an_option_are_taken_for_markup(words: str) -> None:
    for param in COMMANDS[words].params:
        assert Text.from_markup(param.help).plain == param.help.replace("\\[", "[")


def test_streams_that_are_closed_lose_what_is_written_to_them_alone(front: Path) -> None:
    shell = f'exec "{sys.executable}" -c "from hwnas.cli import main; main()" report front.csv >&- 2>&-'
    done = subprocess.run(["sh", "-c", shell], cwd=front.parent, check=False)
    assert done.returncode == 0
    assert front.with_suffix(".png").is_file()


def test_a_working_folder_that_was_removed_gets_one_line(tmp_path: Path) -> None:
    code = "import os; os.rmdir(os.getcwd()); from hwnas.cli import main; main(['spaces', '--space', 'digits'])"
    (tmp_path / "gone").mkdir()
    done = ran(["-c", code], tmp_path / "gone")
    assert done.returncode == 2
    assert done.stderr == b"error: the working folder: it was removed; change to one that exists\n"
