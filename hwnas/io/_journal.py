"""Journal: an append-only file of JSON lines that survives being killed at any moment.

The first line identifies the run; each further line is one finished piece of work, which is on disk before the next piece
begins. A line that was cut off is dropped on resume. So only unfinished work is lost, and no work is done twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from hwnas.errors import DataError
from hwnas.files import locked

SCHEMA = 1


class Journal:
    """An open journal, with its content in :attr:`entries`.

    Args:
        path: the file; created if it does not exist.
        identity: JSON values that the entries depend on (seed, data, weights ...). A journal with another identity is refused,
            unless it is empty.

    Raises:
        DataError: the file is no journal, has another identity, is damaged before its last line, in use, or unwritable.
    """

    def __init__(self, path: str | os.PathLike[str], identity: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.entries: list[dict[str, Any]] = []
        header = {"journal": SCHEMA, **identity}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = not self.path.exists()
            self._file = self.path.open("a+b")
        except OSError as error:
            raise DataError(str(self), f"it cannot be written ({error.strerror})", "choose another path") from error
        try:
            self._lock()
            self._resume(json.loads(_line(header)))
            if new:
                _sync_folder(self.path.parent)
        except BaseException:
            self.close()
            raise

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add an entry, which is on disk when this returns.

        Raises:
            DataError: the disk is full or gone.
        """
        line = _line(entry)
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise DataError(str(self), f"it cannot be written ({error.strerror})", "free space; then resume") from error
        self.entries.append(json.loads(line))

    def close(self) -> None:
        """Close the file and release its lock."""
        with suppress(OSError):  # closing tries again to write to a full disk
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __str__(self) -> str:
        return f"journal {self.path}"

    def _lock(self) -> None:
        if locked(self._file.fileno()) is False:
            raise DataError(str(self), "another process is writing to it", "wait for it, or stop it")

    def _resume(self, header: Mapping[str, Any]) -> None:
        self._file.seek(0)
        content = self._file.read()
        *whole, tail = content.split(b"\n")
        lines = [line + b"\n" for line in whole] + ([tail] if tail else [])
        if not whole and _line(header).startswith(tail):  # a new file, or a header that was cut off
            self._begin(header)
            return
        parsed = [_parse(line) for line in lines]
        found = parsed[0]
        if found is None or found.get("journal") != SCHEMA:
            raise DataError(str(self), "it is not a journal of this version of hwnas", "choose another path")
        if len(lines) == 1 and found != header:  # it has no entries, so nothing is lost
            self._begin(header)
            return
        for key in [*header, *found]:
            if found.get(key) != header.get(key):
                rule = _difference(key, found.get(key), header.get(key))
                raise DataError(str(self), rule, "resume it as it was begun, or delete it")
        if tail or parsed[-1] is None:
            parsed.pop()
            self._file.truncate(len(content) - len(lines[-1]))
        for number, entry in enumerate(parsed[1:], start=2):
            if entry is None:
                raise DataError(f"{self}, line {number}", "it is damaged", "restore the file, or delete it")
            self.entries.append(entry)

    def _begin(self, header: Mapping[str, Any]) -> None:
        self._file.truncate(0)
        self.append(header)
        self.entries.clear()


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(entry), allow_nan=False, default=np.generic.item).encode() + b"\n"


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _difference(key: str, begun: Any, now: Any) -> str:
    """A condition of the first run beside that of this one; None stands for none."""
    if begun is None:
        return f"it was begun without {key}, not with {_short(now)}"
    return f"it was begun with {key} {_short(begun)}, not {'without' if now is None else _short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power failure, if the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
