"""The journal: nothing lost, nothing twice, nothing foreign."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.errors import DataError
from hwnas.io import Journal
from tests.test_files import files_end_at

IDENTITY = {"space": "digits", "seed": 1}
ENTRIES = [{"n": i, "value": i / 3, "text": "é\n"} for i in range(5)]


def written(path: Path) -> bytes:
    with Journal(path, IDENTITY) as journal:
        for entry in ENTRIES:
            journal.append(entry)
    return path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(cut=st.floats(0, 1), garbage=st.sampled_from([b"", b"\x00" * 7, b"\x00" * 7 + b"\n", b'{"n": 9']))
def test_resuming_from_any_cut_keeps_exactly_the_whole_entries(
    cut: float, garbage: bytes, tmp_path_factory: pytest.TempPathFactory
):
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    content = written(path)
    kept = content[: round(cut * len(content))]
    if b"\n" not in kept:
        garbage = b""
    path.write_bytes(kept + garbage if kept.endswith(b"\n") else kept)
    whole = max(0, kept.count(b"\n") - 1)
    with Journal(path, IDENTITY) as journal:
        assert journal.entries == ENTRIES[:whole]
        for entry in ENTRIES[whole:]:
            journal.append(entry)
    assert path.read_bytes() == content


def test_other_files_and_other_runs_are_left_alone(tmp_path: Path):
    path = tmp_path / "j.jsonl"
    content = written(path)
    with pytest.raises(DataError, match="begun with seed 1, not 2; resume it as it was begun"):
        Journal(path, IDENTITY | {"seed": 2})
    with pytest.raises(DataError, match="begun without more, not with 3"):
        Journal(path, IDENTITY | {"more": 3})
    assert path.read_bytes() == content
    for text in (b"notes of mine", b"a,b\n1,2\n", b'{"a": 1}\n', b"\x00\n"):
        path.write_bytes(text)
        with pytest.raises(DataError, match="not a journal"):
            Journal(path, IDENTITY)
        assert path.read_bytes() == text


def test_a_run_that_did_nothing_stands_in_the_way_of_no_other(tmp_path: Path):
    path = tmp_path / "j.jsonl"
    for seed in (1, 2):
        Journal(path, IDENTITY | {"seed": seed}).close()
    with Journal(path, IDENTITY | {"seed": 3}) as journal:
        journal.append({"n": 0})
    assert path.read_text().splitlines() == ['{"journal": 1, "space": "digits", "seed": 3}', '{"n": 0}']


def test_damage_before_the_last_line_is_named(tmp_path: Path):
    path = tmp_path / "j.jsonl"
    lines = written(path).splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"\x00\x00\n", *lines[3:]]))
    with pytest.raises(DataError, match=r"j\.jsonl, line 3: it is damaged"):
        Journal(path, IDENTITY)


def test_a_second_writer_and_an_unwritable_place_are_refused(tmp_path: Path):
    with Journal(tmp_path / "j.jsonl", IDENTITY), pytest.raises(DataError, match="another process"):
        Journal(tmp_path / "j.jsonl", IDENTITY)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        Journal(tmp_path / "file" / "j.jsonl", IDENTITY)


WRITER = """
import sys
from hwnas.io import Journal
with Journal(sys.argv[1], {"seed": 1}) as journal:
    for n in range(len(journal.entries), 100000):
        journal.append({"n": n})
"""


def test_kill_9_loses_and_repeats_nothing(tmp_path: Path):
    path = tmp_path / "j.jsonl"
    for _ in range(3):
        size = path.stat().st_size if path.exists() else 0
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        deadline = time.monotonic() + 60
        while (not path.exists() or path.stat().st_size < size + 200) and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with Journal(path, {"seed": 1}) as journal:
        found = [entry["n"] for entry in journal.entries]
    assert len(found) > 20
    assert found == list(range(len(found)))


def test_a_full_disk_is_told_by_the_name_of_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "full.jsonl"
    with Journal(path, {"seed": 0}) as journal:
        journal.append({"value": 1})
    kept = path.read_bytes()
    with (
        pytest.raises(DataError, match=r"journal .*full.jsonl: it cannot be written \(File too large\); free space"),
        files_end_at(len(kept) + 5),
        Journal(path, {"seed": 0}) as journal,
    ):
        journal.append({"value": 2})
    assert path.read_bytes().startswith(kept)
    with Journal(path, {"seed": 0}) as journal:
        assert journal.entries == [{"value": 1}]
