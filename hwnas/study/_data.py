"""The data that accuracy is measured on, and subnets as people write them."""

# ruff: noqa: PLC0415 (what is heavy is imported when it is needed)

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError, SupernetError
from hwnas.progress import notice

if TYPE_CHECKING:
    from hwnas.supernet import Supernet
    from hwnas.task import Task


def evaluation_data(
    name: str, supernet: Supernet, folder: Path | None, *, images: int, calibrate: int, batch_size: int, seed: int
) -> tuple[Task, dict[str, Any]]:
    """Data to calibrate and measure with, and what a journal says of them.

    Raises:
        DataError: the supernet brings none and no folder was given, or the folder does not fit.
        SupernetError: the supernet's head has learned nothing yet.
    """
    if supernet.head_is_new:
        given = shlex.quote(str(folder)) if folder is not None else "FOLDER"
        remedy = f"train it first: hwnas train --supernet {shlex.quote(name)} --data {given} --out own.safetensors"
        raise SupernetError(f"supernet {name}", "it comes without a classification head", remedy)
    if folder is None:
        own = supernet.data()
        if own is None:
            raise DataError(f"supernet {name}", "it comes without data", "pass --data FOLDER, yours or say ImageNet's")
        return own, {"data": name}
    data = supernet.open_data(folder, images=images, calibrate=calibrate, batch_size=batch_size, seed=seed)
    for note in data.notes:
        notice(note)
    if data.n_available < images:
        notice(f"{folder} holds {data.n_available:,} validation {data.noun}: all of them are used")
    if not data.has_training and data.noun == "images":
        notice(f"{folder} has no train/: batch norms are re-calibrated on validation images, labels unseen")
    identity = {"data": str(folder.resolve()), "images": images, "calibrate": calibrate, "batch_size": batch_size}
    return data, {**identity, "seed": seed}


def noun_of(data: Task) -> str:
    """What its samples are called."""
    from hwnas.task import UserData

    return data.noun if isinstance(data, UserData) else "images"


def say_broken(data: Task) -> None:
    """Tell of images that did not decode."""
    broken: dict[Path, str] = getattr(data, "broken", {})
    if broken:
        named = ", ".join(str(path) for path in sorted(broken)[:3])
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        notice(f"{len(broken)} images do not decode and are left out: {named}{more}")


def parse_arch(text: str) -> dict[str, Any]:
    """The arch of ``--arch``, JSON.

    Raises:
        DataError: not a JSON object.
    """
    try:
        arch = json.loads(text)
    except ValueError as error:
        raise DataError(f"--arch {text[:60]}", f"it is not JSON ({error})", "quote it: --arch '{\"d\": ...}'") from None
    if not isinstance(arch, dict):
        raise DataError(f"--arch {text[:60]}", "it is not a JSON object", 'write {"ks": [...], ...}')
    return arch
