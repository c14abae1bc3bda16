"""Reading a Hugging Face folder: its configuration and its tensors."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwnas.errors import SupernetError

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files of all weights, the preferred first."""

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
"""Files that tell which of several files a tensor is in."""


def read_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """``config.json`` of a folder.

    Raises:
        SupernetError: no such folder or file, or no JSON object.
    """
    path = Path(folder) / CONFIG
    if not Path(folder).is_dir():
        remedy = "give a local one with config.json and weights, as `hf download NAME --local-dir FOLDER` writes it"
        rule = "it is a file, and no folder" if Path(folder).is_file() else "there is no such folder"
        raise SupernetError(f"hf:{folder}", rule, remedy)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        rule = f"it has no {CONFIG}"
        raise SupernetError(f"hf:{folder}", rule, "give the folder that save_pretrained() wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SupernetError(f"{path}", f"it cannot be read ({error})", "restore it") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise SupernetError(f"{path}", "it states no model_type", "give the folder that save_pretrained() wrote")
    return config


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's tensors.

    Raises:
        SupernetError: there are none, or some of those that an index names are missing.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return [folder / name]
    for name in INDEXES:
        if (folder / name).is_file():
            return _listed(folder, folder / name)
    rule = f"it has no weights ({' or '.join(WEIGHTS)})"
    raise SupernetError(f"hf:{folder}", rule, "save the network with its weights into it")


def _listed(folder: Path, index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SupernetError(f"{index}", f"it cannot be read ({error})", "restore it") from error
    missing = [name for name in names if not (folder / str(name)).is_file()]
    if missing:
        raise SupernetError(f"hf:{folder}", f"{missing[0]} is missing, which {index.name} names", "restore it")
    return [folder / str(name) for name in names]


def number(
    config: Mapping[str, Any], key: str, folder: str | os.PathLike[str], *, usual: int | None = None, least: int = 1
) -> int:
    """A whole number of a configuration; ``usual`` where it says nothing.

    Raises:
        SupernetError: it is missing, less than ``least``, or something else.
    """
    value = config.get(key, usual)
    if type(value) is not int or value < least:
        rule = f"{key} is {value!r}, not a whole number from {least}"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "restore it")
    return value


def fraction(config: Mapping[str, Any], key: str, folder: str | os.PathLike[str], *, usual: float) -> float:
    """A number between 0 and 1 of a configuration; ``usual`` where it says nothing.

    Raises:
        SupernetError: it is something else.
    """
    value = config.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise SupernetError(f"hf:{folder}, {CONFIG}", f"{key} is {value!r}, not a number from 0 to 1", "restore it")
    return float(value)
