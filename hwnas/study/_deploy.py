"""Write an exported subnet: one ONNX file, or a folder with everything that its users need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.errors import DataError
from hwnas.files import ends_in, replacing, together

if TYPE_CHECKING:
    from onnx import ModelProto

MODEL = "model.onnx"
"""Name of the network's file in a folder."""

PIXELS = "pixel_values"
"""Name of the image input in a folder, as in Hugging Face's libraries."""


def is_folder(path: Path) -> bool:
    """Whether a path means a folder: it does not end in ``.onnx``."""
    return not ends_in(path, ".onnx")


def model_file(path: Path) -> Path:
    """The file of the network.

    Raises:
        DataError: the path has the name of another kind of file.
    """
    ending = path.suffix.removeprefix(".")
    if is_folder(path) and ending.isalpha() and not path.is_dir():
        rule = f"networks are written as .onnx or into a folder, not as .{ending}"
        raise DataError(f"output {path}", rule, f"write --out {path.with_suffix('.onnx')}")
    return path / MODEL if is_folder(path) else path


def write_deployed(model: ModelProto, facts: Mapping[str, str], files: Mapping[str, str], path: Path) -> None:
    """Write a network and, into a folder, the files beside it: all of them, or none.

    Args:
        model: the network with its weights.
        facts: properties to store in it.
        files: texts by file name.
        path: a file that ends in ``.onnx``, or a folder.

    Raises:
        DataError: a file cannot be written.
    """
    from hwnas.supernet import save_onnx  # loads torch

    if not is_folder(path):
        save_onnx(model, path, facts)
        return
    _rename_images(model)
    with together():
        save_onnx(model, model_file(path), facts)
        for name, text in files.items():
            with replacing(path / name) as part:
                part.write_text(text, encoding="utf-8")


def _rename_images(model: ModelProto) -> None:
    """Rename ``input`` to ``PIXELS``."""
    for value in model.graph.input:
        value.name = PIXELS if value.name == "input" else value.name
    for node in model.graph.node:
        node.input[:] = [PIXELS if name == "input" else name for name in node.input]
