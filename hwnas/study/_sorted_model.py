"""``hwnas library build --sort``: a model whose neurons are sorted by their activity on the text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from hwnas.errors import DataError
from hwnas.files import ends_in
from hwnas.progress import notice
from hwnas.study._model_on_text import ModelOnText

SORTED = "sorted"
"""Key in the header of a weights file: the text that its neurons were sorted on."""


def sorted_model(given: ModelOnText, path: Path) -> ModelOnText:
    """The model with its neurons sorted by their activity on the text. Its file is made if it does not exist.

    Args:
        given: the model and the text.
        path: the file, ``.safetensors``.

    Raises:
        DataError: the file was sorted on something else, or cannot be written.
    """
    from hwnas.supernet import by_activity, described

    if not ends_in(path, ".safetensors"):
        raise DataError(f"sort {path}", "it is a file of weights", f"write {path.with_suffix('.safetensors')}")
    plain = replace(given, precision="fp32")  # neurons are sorted in the parent, which is fp32
    wanted = json.dumps(plain.facts())
    if not path.exists():
        by_activity(plain.net, plain.batches()).save(path, {SORTED: wanted})
        notice(f"wrote {path}: the model, its neurons sorted by their activity on {given.data}")
        return replace(given, model=str(path))
    found = described(path).get(SORTED)
    if found != wanted and found != json.dumps(given.facts()):  # earlier versions wrote the precisions too
        raise DataError(f"sort {path}", "it exists, and was sorted on something else", "name another file")
    return replace(given, model=str(path))
