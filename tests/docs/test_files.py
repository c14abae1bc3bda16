"""The columns that docs/files.md tells are those of the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwnas
from hwnas.io import read_block_library
from hwnas.report import Curves, curves_frame
from hwnas.supernet import Accuracy
from tests.conftest import REPOSITORY
from tests.docs.blocks import blocks_of

PAGE = REPOSITORY / "docs" / "files.md"


def _header(first: str) -> list[str]:
    """The columns of the first table of the page that begins with the column ``first``."""
    tables = [block.text for block in blocks_of(PAGE) if block.language == "csv"]
    return next(text.splitlines()[0].split(",") for text in tables if text.startswith(f"{first},"))


def test_tables_accuracies_and_curves() -> None:
    for table in (REPOSITORY / "latency_tables").glob("*/table.csv"):
        assert table.read_text().splitlines()[0].split(",") == _header("key")
    assert _header("arch") == ["arch", *Accuracy(50.0, 10, 10).as_row("top1")]
    curves = Curves({"random": np.ones((1, 2))}, 1.0)
    assert _header("searcher") == list(curves_frame(curves, {"random": [0]}))


@pytest.mark.usefixtures("desk")
def test_fronts() -> None:
    study = hwnas.Study("ofa_mbv3_w1.0", ["top1", "latency"], {"latency": "4ms"})
    front = study.search(searcher="random", population=40, generations=2)
    told = _header("row")
    assert list(front.frame.columns) == [name for name in told if name not in ("latency_low_ms", "latency_high_ms")]
    added = [name for name in front.measure(most=3).frame.columns if name not in told]
    assert added == [name for name in _header("latency_measured_ms") if "speed" not in name]


def test_a_block_library(tmp_path: Path) -> None:
    (text,) = [block.text for block in blocks_of(PAGE) if block.text.startswith("layer,")]
    (tmp_path / "library.csv").write_text(text)
    space, costs = read_block_library(tmp_path / "library.csv")
    assert space.size() == 4
    assert list(costs) == ["loss", "latency_ms"]
