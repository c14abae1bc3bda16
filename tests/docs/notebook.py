"""Executes examples/front.ipynb anew and stores its outputs: ``python -m tests.docs.notebook``."""

from __future__ import annotations

import os
import tempfile

import nbformat
from nbclient import NotebookClient

from tests.conftest import REPOSITORY

NOTEBOOK = REPOSITORY / "examples" / "front.ipynb"


def executed(folder: str | os.PathLike[str]) -> nbformat.NotebookNode:
    """The notebook with the outputs of a run in ``folder``, without what differs between runs."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}, record_timing=False).execute()
    for cell in notebook.cells:
        cell.metadata.clear()
    return notebook


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        nbformat.write(executed(scratch), NOTEBOOK)
