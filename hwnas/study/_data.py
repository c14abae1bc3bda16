"""The data that accuracy is measured on."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hwnas.arguments import check_whole
from hwnas.errors import DataError, SupernetError
from hwnas.progress import notice
from hwnas.wording import count_of, first_few

if TYPE_CHECKING:
    from hwnas.supernet import Supernet
    from hwnas.task import Sampling, Task


_YOURS = "pass --data FOLDER: images in val/<class>/, or texts in validation.csv"


def as_told(net: Supernet, columns: Mapping[str, str], metric: str | None = None) -> Supernet:
    """The network with other columns to read texts from, or another classification score to measure.

    Args:
        net: the network.
        columns: names of the columns ``text``, ``pair`` and ``label`` that differ from the network's.
        metric: the score that evaluations measure; None for the network's own.

    Raises:
        DataError: there are columns, but the network does not classify texts, or it reads no such column.
        UnknownNameError, SupernetError: there is no such score, or the network does not classify.
    """
    from hwnas.supernet.hf import TextEncoder
    from hwnas.task import TextColumns

    net = net.with_metric(metric) if metric is not None else net
    if not columns:
        return net
    told, known = cast(Any, columns), [each.name for each in fields(TextColumns)]
    if not isinstance(told, Mapping) or not set(told) <= set(known):
        rule = f"it maps {', '.join(known)} to the columns of your texts"
        raise DataError(f"columns {told!r}", rule, 'write for example {"text": "question"}')
    if not isinstance(net, TextEncoder):
        part, rule = next(iter(columns)), "only networks that classify texts read columns"
        raise DataError(f"{part} column {columns[part]}", rule, f"drop --{part}-column")
    return net.remade(columns=replace(net.carried.columns, **columns))


def refuse_untrained(name: str, net: Supernet, folder: Path | None) -> None:
    """Refuse a network with an untrained head.

    Raises:
        SupernetError: the head is new.
    """
    if net.head_is_new:
        rule, remedy = "it comes without a classification head", f"train it first: {_training(name, folder)}"
        raise SupernetError(f"supernet {name}", rule, remedy)


def refuse_unready(name: str, net: Supernet, folder: Path | None) -> None:
    """Refuse to evaluate a network with an untrained head, or without data.

    Raises:
        SupernetError: the head is new.
        DataError: the supernet brings no data, and no folder was given.
    """
    from hwnas.supernet import brought_data

    refuse_untrained(name, net, folder)
    if folder is None and brought_data(net) is None:
        raise DataError(f"supernet {name}", "it comes without data", _YOURS)


def warn_untrained(name: str, checkpoint: Path | None, folder: Path | None) -> None:
    """Notify the user if only the largest subnet was ever trained."""
    from hwnas.supernet import reference_kind

    if checkpoint is None and reference_kind(name).only_largest:
        notice(
            f"{name}: only its largest subnet is trained, so the others are worth little before: {_training(name, folder)}"
        )


def _training(name: str, folder: Path | None) -> str:
    given = shlex.quote(str(folder)) if folder is not None else "FOLDER"
    return f"hwnas train --supernet {shlex.quote(name)} --data {given} --out own.safetensors"


def evaluation_data(
    name: str, supernet: Supernet, folder: Path | None, sampling: Sampling
) -> tuple[Task, dict[str, Any]]:
    """Data to calibrate and measure with, and the facts that identify them in a journal.

    Raises:
        DataError: the supernet brings no data and no folder was given, the folder does not fit, or a number is out of range.
        SupernetError: the supernet's head is new.
    """
    from hwnas.supernet import brought_data
    from hwnas.task import scored_by

    sizes = {"images": sampling.n_validation, "calibrate": sampling.n_calibration, "batch_size": sampling.batch_size}
    for what, n in sizes.items():
        check_whole(what.replace("_", " "), n, 1)
    check_whole("seed", sampling.seed, 0)
    refuse_unready(name, supernet, folder)
    own = brought_data(supernet)
    if folder is None and own is not None:
        return scored_by(own, supernet.metric), {"data": name}
    assert folder is not None
    data = scored_by(supernet.open_data(folder, sampling), supernet.metric)
    for note in data.notes:
        notice(note)
    if data.n_available < sampling.n_validation:
        notice(f"{folder}: all validation {data.noun} are used, {data.n_available:,}")
    if not data.has_training and data.noun == "images":
        notice(f"{folder} has no train/: batch norms are re-calibrated on validation images, labels unseen")
    drawn = {**fed_by(data), "seed": sampling.seed, "samples": data.digest()}
    return data, {"data": str(folder.resolve()), **sizes, **drawn}


def fed_by(data: Task) -> dict[str, Any]:
    """Facts of how files become a network's inputs, if not in the default way. They may change while weights do not."""
    from hwnas.task import IMAGENET, ImageFolder, TextFolder

    if isinstance(data, TextFolder):
        return {"columns": asdict(data.columns), "tokenizer": data.tokenizer.digest}
    if isinstance(data, ImageFolder) and data.preprocessing != IMAGENET:
        return {"preprocessing": str(data.preprocessing)}
    return {}


def noun_of(data: Task) -> str:
    """The plural noun for its samples: ``"images"``, ``"texts"``."""
    from hwnas.task import UserData

    return data.noun if isinstance(data, UserData) else "images"


def warn_broken(data: Task) -> None:
    """Notify the user of images that were left out, and why."""
    reasons: dict[Path, str] = getattr(data, "broken", {})
    broken = {path: _no_file(path) or reasons[path] for path in sorted(reasons)}
    alike: defaultdict[str, list[Path]] = defaultdict(list)  # by reason, without the details in brackets
    for path, why in broken.items():
        alike[re.sub(r" \(.*\)", "", why)].append(path)
    for reason, paths in alike.items():
        detailed = {broken[path] for path in paths}
        told = detailed.pop() if len(detailed) == 1 else reason
        notice(f"{count_of(len(paths), 'image')} left out: {first_few(paths)}: {told}")


def _no_file(path: Path) -> str | None:
    """What a path with an image's name is, if it is not a file; a decoder would only say that it does not decode."""
    if path.is_symlink() and not path.exists():
        return f"a link to a missing file ({path.readlink()})"
    return "a folder" if path.is_dir() else None
