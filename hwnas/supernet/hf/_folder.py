"""Reading a Hugging Face folder: its configuration, and the files of its tensors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwnas.errors import SupernetError
from hwnas.files import as_argument, files_in, is_lfs_pointer
from hwnas.progress import notice

CONFIG, ADAPTER = "config.json", "adapter_config.json"
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin", ADAPTER)
"""Files of an adapter, its weights first."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files with all weights, the preferred one first."""

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
"""Files that list which file holds which tensor."""

_MERGE = "merge it into its network: merge_and_unload() of peft, then save_pretrained()"
_SAVED = "give the folder that save_pretrained() wrote"

HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
"""The form of names on the Hugging Face hub; paths may have the same form."""


def read_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """``config.json`` of a folder.

    Raises:
        SupernetError: the folder or file does not exist, or the file is no JSON object with a ``model_type``.
    """
    path = Path(folder) / CONFIG
    if not Path(folder).is_dir():
        raise SupernetError(f"hf:{folder}", *_no_folder(str(folder)))
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SupernetError(f"hf:{folder}", *_no_config(Path(folder))) from None
    except (OSError, ValueError, RecursionError) as error:
        raise SupernetError(f"{path}", f"it cannot be read ({error})", "restore it") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise SupernetError(f"{path}", "it states no model_type", _meant(Path(folder)))
    return config


def _no_folder(folder: str) -> tuple[str, str]:
    """Rule and remedy for a path that is no folder."""
    if Path(folder).is_file():
        around = Path(folder).parent
        has_one = (around / CONFIG).is_file()
        return "it is a file, and no folder", f"write {as_argument(f'hf:{around}')}" if has_one else _SAVED
    name = folder if HUB_NAME.fullmatch(folder) else "NAME"
    fetch = f"hf download {name} --local-dir {as_argument(folder)}"
    return "there is no such folder", f"correct the path, or fetch it from the Hugging Face hub: `{fetch}`"


def _no_config(folder: Path) -> tuple[str, str]:
    """Rule and remedy for a folder without configuration."""
    if (folder / ADAPTER).is_file():
        return f"it holds an adapter ({ADAPTER}), and no network", _MERGE
    return f"it has no {CONFIG}", _meant(folder)


def _meant(folder: Path) -> str:
    """The remedy for a folder without a network: to give the newest network inside it, if there is one.

    Training runs write a folder per checkpoint, the hub's cache one per version, and older sentence-transformers one per
    module.
    """
    within = [*folder.glob(f"*/{CONFIG}"), *folder.glob(f"snapshots/*/{CONFIG}")]
    networks = [path.parent for path in within if path.is_file() and b'"model_type"' in path.read_bytes()]
    if not networks:
        return _SAVED
    newest = max(networks, key=lambda path: path.stat().st_mtime)
    return f"write {as_argument(f'hf:{newest}')}, where a network is"


def weight_files(folder: Path) -> list[Path]:
    """The files of a folder's tensors: those that save_pretrained() writes, or else the only ``.safetensors`` file.

    Raises:
        SupernetError: there are no weights, a file that an index names is missing, or Git LFS has not fetched a file yet.
    """
    files = _weight_files(folder)
    pointer = next((file for file in files if is_lfs_pointer(file)), None)
    if pointer is not None:
        rule = "it is a Git LFS pointer instead of the weights"
        raise SupernetError(f"{pointer}", rule, f"fetch them: git -C {as_argument(folder)} lfs pull")
    return files


def _weight_files(folder: Path) -> list[Path]:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return [folder / name]
    for name in INDEXES:
        if (folder / name).is_file():
            return _listed(folder, folder / name)
    others = [file for file in files_in(folder, ".safetensors") if not file.name.startswith("adapter_")]
    if len(others) == 1:
        return others
    rule = f"it has no weights ({' or '.join(WEIGHTS)})"
    adapter = adapter_file(folder)
    if adapter is not None and not others:
        raise SupernetError(f"hf:{folder}", f"{rule}, but an adapter ({adapter.name})", _MERGE)
    if others:
        names = ", ".join(file.name for file in others)
        raise SupernetError(f"hf:{folder}", f"{rule}, but {names}", f"name the one that is meant {WEIGHTS[0]}")
    raise SupernetError(f"hf:{folder}", rule, "save the network with its weights into it, in torch")


def adapter_file(folder: Path) -> Path | None:
    """A file of an adapter (LoRA and others) in a folder, which hwnas does not apply to the weights."""
    return next((folder / name for name in ADAPTERS if (folder / name).is_file()), None)


def warn_adapter(folder: Path) -> None:
    """Notify the user of an adapter beside the weights."""
    adapter = adapter_file(folder)
    if adapter is not None:
        notice(f"{adapter}: the adapter is left out; to use it, {_MERGE}")


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
    """An integer of a configuration; ``usual`` if the configuration does not state it.

    Raises:
        SupernetError: it is missing, less than ``least``, or no integer.
    """
    value = config.get(key, usual)
    if type(value) is not int or value < least:
        rule = f"{key} is {value!r}, not a whole number from {least}"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "restore it")
    return value


def fraction(config: Mapping[str, Any], key: str, folder: str | os.PathLike[str], *, usual: float) -> float:
    """A number from 0 to 1 of a configuration; ``usual`` if the configuration does not state it.

    Raises:
        SupernetError: it is something else.
    """
    value = config.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise SupernetError(f"hf:{folder}, {CONFIG}", f"{key} is {value!r}, not a number from 0 to 1", "restore it")
    return float(value)
