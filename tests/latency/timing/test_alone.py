"""One timing at a time on a machine: threads, processes, dead ones, and files that cannot be locked."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hwnas.latency.timing import _alone
from hwnas.latency.timing._alone import alone, lock_path

HOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
from _alone import alone
with alone(print):
    print("in", flush=True)
    sys.stdin.read()
"""


def held() -> subprocess.Popen[str]:
    """A process that is timing, without numpy or hwnas."""
    command = [sys.executable, "-S", "-c", HOLDER, str(Path(_alone.__file__).parent)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    return process


def nobody(line: str) -> None:
    raise AssertionError(line)


def test_who_comes_second_waits_says_for_whom_and_a_dead_process_blocks_nobody() -> None:
    with held() as process:
        told: list[str] = []

        def kill(line: str) -> None:
            told.append(line)
            process.kill()

        with alone(kill):
            assert re.fullmatch(
                rf"waiting for process {process.pid} \(.+\), which times networks on this machine", told[0]
            )
            assert process.wait() == -9
    with alone(nobody), alone(nobody):  # what the dead one wrote is still there; a block inside another goes on
        assert lock_path().read_text().startswith("process ")


def test_threads_of_one_process_wait_too() -> None:
    told: list[str] = []
    inside = threading.Event()

    def say(line: str) -> None:
        told.append(line)
        inside.set()

    def second() -> None:
        with alone(say):
            told.append("in")

    with alone(nobody):
        thread = threading.Thread(target=second)
        thread.start()
        inside.wait()
        assert len(told) == 1
    thread.join()
    assert told[1:] == ["in"]


def test_an_error_gives_it_back() -> None:
    with pytest.raises(KeyboardInterrupt), alone(nobody):
        raise KeyboardInterrupt
    with alone(nobody):
        pass


def test_where_nothing_can_be_locked_nobody_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(_alone.LOCK, str(tmp_path / "none" / "lock"))
    with alone(nobody):
        assert not lock_path().exists()


def test_what_a_link_leads_to_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    (tmp_path / "lock").symlink_to(tmp_path / "mine")
    monkeypatch.setenv(_alone.LOCK, str(tmp_path / "lock"))
    with alone(nobody):
        assert (tmp_path / "mine").read_text() == "kept"
