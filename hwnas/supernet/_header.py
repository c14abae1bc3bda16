"""The metadata of a trained supernet's file: which supernet it is, and the names of its classes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from hwnas.errors import SupernetError
from hwnas.files import ends_in

ENCODER = "encoder"
"""Among the metadata: the description of a network that came from a folder, which the file replaces."""

LARGEST_HEADER = 100 * 2**20
"""Bytes; safetensors' own limit."""


OUTLINE = "outline"
"""The property of a file whose network no name leads to: all that its layers are."""


def is_trained_file(name: str) -> bool:
    """Whether a supernet is named by a file that ``hwnas train`` wrote."""
    return ends_in(name, ".safetensors")


def described(path: str | os.PathLike[str]) -> Mapping[str, str]:
    """The metadata of a file of ours, with at least ``supernet`` and ``space``; without reading its tensors.

    Raises:
        SupernetError: there is no such file, it is none of ours, or damaged.
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
    """What the supernet is measured by; None if the file does not say."""
    if "metric" in metadata:
        return metadata["metric"]
    try:  # files of before tell of texts in their description
        told = json.loads(metadata.get(ENCODER, "{}"))
    except ValueError:
        return None
    return str(told["metric"]) if isinstance(told, dict) and "metric" in told else None


def labels_of(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the classes in the order of the logits; empty if the file has none."""
    try:
        labels = json.loads(metadata.get("labels", "[]"))
    except ValueError:
        return ()
    return tuple(str(label) for label in labels) if isinstance(labels, list) else ()
