"""The metadata of a trained supernet's file: which supernet it is, and the names of its classes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from hwnas.errors import SupernetError
from hwnas.files import ends_in

DESCRIPTION = "encoder"
"""Metadata key: the description of a network from a Hugging Face folder, which is then not needed any more. The first ones
were encoders."""

OUTLINE = "outline"
"""Metadata key: the layers of a network from an ONNX file, which is then not needed any more."""

LARGEST_HEADER = 100 * 2**20
"""Bytes; safetensors' own limit."""


def is_trained_file(name: str) -> bool:
    """Whether a name is that of a file of ``hwnas train``."""
    return ends_in(name, ".safetensors")


def described(path: str | os.PathLike[str]) -> Mapping[str, str]:
    """The metadata of a file that hwnas wrote, with at least ``supernet`` and ``space``. Tensors are not read.

    Raises:
        SupernetError: the file does not exist, is damaged, or was not written by hwnas.
    """
    name = f"supernet {path}"
    try:
        with Path(path).open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size)) if size <= LARGEST_HEADER else None
    except FileNotFoundError:
        raise SupernetError(name, "there is no such file", "give the file that hwnas train wrote") from None
    except OSError as error:
        raise SupernetError(name, f"it cannot be read ({error.strerror})", "give a file that can") from None
    except (ValueError, RecursionError):
        header = None
    found = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise SupernetError(name, "it is damaged, or no safetensors file with a description", "copy it again")
    if not found.get("supernet") or not found.get("space"):
        around = Path(path).parent
        rule, remedy = "it does not say which supernet it is of", f"pass --supernet NAME --checkpoint {path}"
        if (around / "config.json").is_file():
            rule, remedy = "it holds the weights of a Hugging Face folder", f"name the folder: hf:{around}"
        raise SupernetError(name, rule, remedy)
    return found


def metric_of(metadata: Mapping[str, str]) -> str | None:
    """The metric of the supernet; None if the file does not state it."""
    if "metric" in metadata:
        return metadata["metric"]
    try:  # older files state it in the description of an encoder
        description = json.loads(metadata.get(DESCRIPTION, "{}"))
    except ValueError:
        return None
    return str(description["metric"]) if isinstance(description, dict) and "metric" in description else None


def labels_of(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the classes in the order of the logits; empty if the file does not state them."""
    try:
        labels = json.loads(metadata.get("labels", "[]"))
    except ValueError:
        return ()
    return tuple(str(label) for label in labels) if isinstance(labels, list) else ()
