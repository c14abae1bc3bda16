"""Whole files or none: write beside, then rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hwnas.errors import DataError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it over ``path`` on success, delete it on failure.

    Missing parent folders are made.

    Raises:
        DataError: the folder cannot be written to, or ``path`` is a folder.
    """
    target = Path(path)
    part = _part(target)
    if target.is_dir():
        raise _unwritable(target, "it is a folder")
    if target.is_dir():
        raise DataError(f"output {target}", "it is a folder", "name a file in it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise _unwritable(target, error.strerror or str(error)) from error
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse an output path before hours are spent on what goes there; leaves no trace.

    Raises:
        DataError: the folder cannot be written to, or ``path`` is a folder.
    """
    target = Path(path)
    if target.is_dir():
        raise _unwritable(target, "it is a folder")
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    part = _part(folder / target.name)
    try:
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"no permission for {folder}")
        part.touch()
        part.unlink()
    except OSError as error:
        raise _unwritable(target, error.strerror or str(error)) from error


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.part")


def _unwritable(target: Path, reason: str) -> DataError:
    return DataError(f"output {target}", f"it cannot be written ({reason})", "choose another path")
