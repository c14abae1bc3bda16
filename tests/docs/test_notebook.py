"""The notebook in examples/ runs from top to bottom, and is stored with what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.conftest import REPOSITORY
from tests.docs.notebook import NOTEBOOK, executed

LARGEST = 300_000
"""Bytes of a notebook that is pleasant to have in a repository."""


def _shown(notebook: Any) -> list[list[str]]:
    """What each cell shows: kinds of its results and pictures; what it prints differs from run to run."""
    outputs = [cell.get("outputs", []) for cell in notebook.cells]
    return [sorted(kind for output in cell if "data" in output for kind in output["data"]) for cell in outputs]


def test_it_is_stored_as_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    stored = nbformat.read(NOTEBOOK, as_version=4)
    again = executed(tmp_path)
    assert _shown(again) == _shown(stored)
    kinds = [kind for cell in _shown(stored) for kind in cell]
    assert {"text/html", "image/png"} <= set(kinds)
    assert NOTEBOOK.stat().st_size < LARGEST
    assert {path.name for path in tmp_path.iterdir()} >= {"digits.csv", "digits.json", "digits.png", "digits.onnx"}
