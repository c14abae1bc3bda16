"""Whole files or none, one by one and together."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwnas.errors import DataError
from hwnas.files import beside, check_writable, ends_in, files_in, only_writer, replacing, together


def test_the_file_appears_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    target = tmp_path / "new" / "table.csv"
    with replacing(target) as part:
        part.write_text("a\n1\n")
        assert not target.exists()
    assert target.read_text() == "a\n1\n"
    assert list(target.parent.iterdir()) == [target]


def interrupted(target: Path) -> None:
    with replacing(target) as part:
        part.write_text("half")
        raise KeyboardInterrupt


def test_a_failure_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    unwritable = (tmp_path / "file" / "out.csv", tmp_path / f"{'x' * 300}.csv")
    for target, rule in ((tmp_path, "it is a folder"), *((path, "it cannot be written") for path in unwritable)):
        with pytest.raises(DataError, match=rule), replacing(target):
            pytest.fail("the block must not run")
        with pytest.raises(DataError, match=rule):
            check_writable(target)
    check_writable(tmp_path / "new" / "out.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


NAMES = ("a.png", "a.json", "a.csv")


def written(folder: Path, contents: list[bytes]) -> None:
    with together():
        for name, content in zip(NAMES, contents, strict=True):
            with replacing(folder / name) as part:
                part.write_bytes(content)


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let the system refuse every byte of a file behind the first ``size``, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_folders_that_were_made_for_a_file_go_with_it(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()

    def write() -> None:
        with together():
            for name, size in (("a", 1), ("b", 99)):
                with replacing(tmp_path / "kept" / "new" / "newer" / name) as part:
                    part.write_bytes(b"x" * size)

    with pytest.raises(DataError, match="cannot be written"), files_end_at(9):
        write()
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 9000), min_size=3, max_size=3), limit=st.integers(0, 9000), old=st.booleans())
def test_on_a_disk_that_is_full_at_any_byte_all_files_are_new_or_none(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int, old: bool
) -> None:
    folder = tmp_path_factory.mktemp("full")
    before = dict.fromkeys(NAMES, b"old") if old else {}
    for name, content in before.items():
        (folder / name).write_bytes(content)
    contents = [bytes([65 + i]) * n for i, n in enumerate(sizes)]
    if max(sizes) <= limit:
        with files_end_at(limit):
            written(folder, contents)
        assert read(folder) == dict(zip(NAMES, contents, strict=True))
    else:
        with pytest.raises(DataError, match=r"a\..*cannot be written \(File too large\)"), files_end_at(limit):
            written(folder, contents)
        assert read(folder) == before


def test_what_fails_between_the_files_leaves_none_of_them(tmp_path: Path) -> None:
    def broken() -> None:
        with together():
            with replacing(tmp_path / "new" / "a.json") as part:
                part.write_text("{}")
            with together(), replacing(tmp_path / "new" / "b.json") as part:  # of a writer that keeps its own together
                part.write_text("{}")
            assert not (tmp_path / "new" / "b.json").exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys, time
from hwnas.files import replacing
with replacing(sys.argv[1]) as part:
    part.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@contextmanager
def writer(target: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of writing ``target``."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "writing\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_a_killed_process_left_is_removed_by_the_next_writer_of_that_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    with writer(target) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    (tmp_path / f".x.json.{os.getpid()}.part").write_text("of a process whose number a living one has now")
    (tmp_path / ".x.json.bak.part").write_text("a user's")
    (tmp_path / ".other.json.7.1.part").write_text("of another file")
    assert len(list(tmp_path.iterdir())) == 4
    with replacing(target) as part:
        part.write_text("whole")
    assert {p.name for p in tmp_path.iterdir()} == {"x.json", ".x.json.bak.part", ".other.json.7.1.part"}


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    with writer(target):
        with replacing(target) as part:
            part.write_text("whole")
        (half,) = (p for p in tmp_path.iterdir() if p != target)
        assert half.read_text() == "half"
    with replacing(target) as part, replacing(target) as other:
        part.write_text("first to begin, last to end")
        other.write_text("last to begin")
    assert read(tmp_path) == {"x.json": b"first to begin, last to end"}


def test_a_file_that_takes_long_has_one_maker(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.bin"
    with only_writer(path):
        with (
            pytest.raises(
                DataError, match=r"x\.bin: another process is making it; wait for it, or choose another path"
            ),
            only_writer(path),
        ):
            pass
        with only_writer(tmp_path / "new" / "y.bin"):
            pass
        assert [each.name for each in path.parent.iterdir()] == ["x.bin.lock"]
    assert not path.parent.exists()
    beside(tmp_path / "x.bin", "lock").touch()  # a killed process left it
    with only_writer(tmp_path / "x.bin"):
        pass
    assert not list(tmp_path.iterdir())


def test_what_kind_a_file_is_does_not_depend_on_capitals(tmp_path: Path) -> None:
    for name in ("b.TXT", "a.txt", "c.txt.gz", ".TXT.part"):
        (tmp_path / name).touch()
    (tmp_path / "folder.txt").mkdir()
    assert [file.name for file in files_in(tmp_path, ".txt")] == ["a.txt", "b.TXT"]
    assert files_in(tmp_path / "none", ".txt") == []
    assert ends_in("NET.ONNX", ".onnx", ".json")
    assert not ends_in(tmp_path / "NET.ONNX", ".json")
