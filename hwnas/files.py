"""Writing files atomically, alone or several together; digests of files, and paths in messages."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from typing import Self

from hwnas.errors import DataError

UNWRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
"""Error numbers of failed writes, which libraries raise without the file's name."""

PART_BYTES = 2**22
"""Bytes that are hashed at once, since a file may be larger than memory."""

_LFS = b"version https://git-lfs"

_numbers = count(1)
_waiting: ContextVar[list[_Part] | None] = ContextVar("waiting", default=None)
"""Finished parts of a :func:`together` block; None outside of a block."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` on success, delete it on failure.

    Missing parent folders are created, and removed again on failure. Temporary files of the same target that killed processes
    left behind are removed. Inside :func:`together` the rename waits for the other files.

    Raises:
        DataError: the folder cannot be written to, ``path`` is a folder, or the disk is full.
    """
    target = Path(path)
    made: list[Path] = []
    try:
        if target.is_dir():
            raise _unwritable(target, "it is a folder")
        made = [folder for folder in target.absolute().parents if not folder.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        part = _Part.of(target, made)
    except OSError as error:
        _remove_empty(made)
        raise _unwritable(target, error.strerror or str(error)) from error
    waiting = _waiting.get()
    try:
        yield part.path
        part.sync()
        if waiting is None:
            part.commit()
    except BaseException as error:
        part.discard()
        if isinstance(error, OSError) and (error.errno in UNWRITTEN or error.filename == str(part.path)):
            raise _unwritable(target, error.strerror or str(error)) from error
        raise
    if waiting is not None:
        waiting.append(part)


@contextmanager
def together() -> Iterator[None]:
    """Rename the files that :func:`replacing` writes in this block at its end, in order; after an error, none of them.

    A nested block joins the outer one.

    Raises:
        DataError: a file cannot be written.
    """
    if _waiting.get() is not None:
        yield
        return
    parts: list[_Part] = []
    token = _waiting.set(parts)
    try:
        yield
        for part in parts:
            part.commit()
    finally:
        _waiting.reset(token)
        for part in reversed(parts):  # the first may have created the folder of all
            part.discard()


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise if a file cannot be written, before hours are spent on its content; leaves no trace.

    Raises:
        DataError: the folder cannot be written to, or ``path`` is a folder.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise _unwritable(target, "it is a folder")
        folder = next(parent for parent in target.absolute().parents if parent.exists())
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"no permission for {folder}")
        _Part.of(folder / target.name).discard()
    except OSError as error:
        raise _unwritable(target, error.strerror or str(error)) from error


def file_hash(path: str | os.PathLike[str], files: Iterable[Path] = ()) -> str:
    """SHA-256 of a file, or of the sorted names and contents of ``files`` in a folder."""
    path = Path(path)
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()) if path.is_dir() else [path]:
        digest.update(file.relative_to(path).as_posix().encode() if path.is_dir() else b"")
        with file.open("rb") as content:
            while part := content.read(PART_BYTES):
                digest.update(part)
    return digest.hexdigest()


def user_cache() -> Path:
    """The user's cache folder for hwnas, which may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwnas"


def as_argument(path: str | os.PathLike[str]) -> str:
    """A path as a shell argument; one that begins with a dash gets ``./``, so that it is no option."""
    text = os.fspath(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def ends_in(path: str | os.PathLike[str], *endings: str) -> bool:
    """Whether a file name has one of the endings (``.onnx``), in upper or lower case."""
    return os.fspath(path).lower().endswith(endings)


def beside(path: Path, ending: str) -> Path:
    """The file that belongs to another one: ``pareto.csv.journal.jsonl`` for the ending ``journal.jsonl``."""
    return path.parent / f"{path.name}.{ending}"  # with_name raises at "."


def files_in(folder: Path, *endings: str) -> list[Path]:
    """The files of a folder that have one of the endings, sorted; empty if there is no such folder."""
    return sorted(file for file in folder.glob("*") if ends_in(file, *endings) and file.is_file())


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what ``git clone`` leaves in place of a large one where Git LFS is not installed."""
    with path.open("rb") as file:
        return file.read(len(_LFS)) == _LFS


class _Part:
    """A temporary file beside its target, locked as long as its writer lives."""

    def __init__(self, target: Path, path: Path, handle: int, made: Sequence[Path]) -> None:
        self.target = target
        self.path = path
        self._handle: int | None = handle
        self._made = made

    @classmethod
    def of(cls, target: Path, made: Sequence[Path] = ()) -> Self:
        """A new, empty file. Discarding it also removes the folders that were ``made`` for it, innermost first."""
        while True:
            path = target.with_name(f".{target.name}.{os.getpid()}.{next(_numbers)}.part")
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            # Before the lock, another process may have removed the file as a leftover.
            if locked(handle) is not False and path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return cls(target, path, handle, made)
            os.close(handle)

    def sync(self) -> None:
        """Flush the file to disk; a full disk may raise only now."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())

    def commit(self) -> None:
        """Rename the file to its target."""
        if self.target.is_dir():
            raise _unwritable(self.target, "it is a folder")
        try:
            if sys.platform == "win32":  # it cannot rename open files
                self._close()
            self.path.replace(self.target)
        except OSError as error:
            raise _unwritable(self.target, error.strerror or str(error)) from error
        self._close()

    def discard(self) -> None:
        """Delete the file, unless it was committed."""
        if self._handle is not None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            self._close()
            _remove_empty(self._made)

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove the empty ones of ``folders``, which are sorted innermost first."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _remove_leftovers(target: Path) -> None:
    """Remove the temporary files of ``target`` whose writers are dead, so that nobody holds their locks.

    Process ids could not show that: they are reused, and mean nothing in another container.
    """
    ours = re.compile(rf"\.{re.escape(target.name)}\.\d+(\.\d+)?\.part")
    with os.scandir(target.parent) as entries:
        parts = [entry.path for entry in entries if ours.fullmatch(entry.name)]
    for path in parts:
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR)
            try:
                if locked(handle):
                    Path(path).unlink()
            finally:
                os.close(handle)


def locked(handle: int) -> bool | None:
    """Try to lock an open file: True if this process holds the lock now, None if files cannot be locked."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Let no other process begin to make the same file while the block runs. A lock beside the file is removed at the end.

    Raises:
        DataError: another process makes it, or its folder is not writable.
    """
    lock = beside(path, "lock")
    made = [folder for folder in lock.absolute().parents if not folder.exists()]
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
    try:
        if locked(handle) is False:
            raise DataError(f"output {path}", "another process is making it", "wait for it, or choose another path")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            _remove_empty(made)
    finally:
        os.close(handle)


def _unwritable(target: Path, reason: str) -> DataError:
    full = reason in (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
    remedy = "free space there, or choose another path" if full else "choose another path"
    return DataError(f"output {target}", f"it cannot be written ({reason})", remedy)
