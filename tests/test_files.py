"""Whole files or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.errors import DataError
from hwnas.files import replacing


def test_the_file_appears_whole_and_nothing_else_stays(tmp_path: Path):
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


def test_a_failure_leaves_the_old_file_alone(tmp_path: Path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for target, rule in ((tmp_path, "it is a folder"), (tmp_path / "file" / "out.csv", "it cannot be written")):
        with pytest.raises(DataError, match=rule), replacing(target):
            pytest.fail("the block must not run")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
