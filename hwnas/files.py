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
        DataError: the folder cannot be written to.
    """
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"output {target}", f"it cannot be written ({reason})", "choose another path") from error
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
