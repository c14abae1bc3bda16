"""A disk that is full: one line, and all files of a command or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Hwnas
from tests.test_files import files_end_at


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("size", [600, 4_000, 30_000])
def test_a_search_leaves_three_files_or_none(
    hwnas: Hwnas, folder: Path, table: Path, predictor: Path, size: int, old: bool
) -> None:
    for name in ("pareto.csv", "pareto.json", "pareto.png") if old else ():
        (folder / name).write_text("of an earlier search")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with files_end_at(size):
        ran = hwnas("search", "--device", table, "--predictor", predictor, "--generations", 2, "--population", 40)
    assert ran.code == 2
    assert "error: output pareto" in ran.err
    assert "cannot be written" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
