"""Whole files or none: write beside, then rename; several files together, all of them or none. And what else is said of paths:
their digests, how they are typed."""

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
"""Numbers of errors that say that bytes did not reach the disk; libraries raise them without the file's name."""

PART_BYTES = 2**22
"""Read at once of a file that is hashed: weights may be larger than memory."""

_LFS = b"version https://git-lfs"

_numbers = count(1)
_waiting: ContextVar[list[_Part] | None] = ContextVar("waiting", default=None)
"""Finished parts of the files that a :func:`together` block writes; None outside of one."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it over ``path`` on success, delete it on failure.

    Missing parent folders are made (and removed again on failure), and what killed processes left of the same target is
    removed. Inside :func:`together` the rename waits for the other files.

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
        part.settle()
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
    """Files that are written inside by :func:`replacing` appear at the end, in their order; or none of them does.

    Until then their names hold what they held before. A block inside another one belongs to it.

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
        for part in reversed(parts):  # the first may have made the folder of all
            part.discard()


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse an output path before hours are spent on what goes there; leaves no trace.

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
    """SHA-256 of a file; of a folder, of the names and contents of those ``files`` of it, in order of name."""
    path = Path(path)
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()) if path.is_dir() else [path]:
        digest.update(file.relative_to(path).as_posix().encode() if path.is_dir() else b"")
        with file.open("rb") as content:
            while part := content.read(PART_BYTES):
                digest.update(part)
    return digest.hexdigest()


def user_cache() -> Path:
    """Where a user's programs keep what can be had again; not made yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwnas"


def as_argument(path: str | os.PathLike[str]) -> str:
    """A path as it is typed in a shell; a name that begins with a dash would be taken for an option."""
    text = os.fspath(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def ends_in(path: str | os.PathLike[str], *endings: str) -> bool:
    """Whether a name has one of these endings (``.onnx``): what kind of file it is; capitals are as good as small letters."""
    return os.fspath(path).lower().endswith(endings)


def files_in(folder: Path, *endings: str) -> list[Path]:
    """The files of a folder that have one of these endings, by name; none where there is no such folder."""
    return sorted(file for file in folder.glob("*") if ends_in(file, *endings) and file.is_file())


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what ``git clone`` leaves in place of a large one where Git LFS is not installed."""
    with path.open("rb") as file:
        return file.read(len(_LFS)) == _LFS


class _Part:
    """A file that is being written beside its target, locked as long as its writer lives."""

    def __init__(self, target: Path, path: Path, handle: int, made: Sequence[Path]) -> None:
        self.target = target
        self.path = path
        self._handle: int | None = handle
        self._made = made

    @classmethod
    def of(cls, target: Path, made: Sequence[Path] = ()) -> Self:
        """A new one, empty; folders that were ``made`` for it, the innermost first, go with it if it is discarded."""
        while True:
            path = target.with_name(f".{target.name}.{os.getpid()}.{next(_numbers)}.part")
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            # Between these two lines another process may have removed it as a leftover.
            if locked(handle) is not False and path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return cls(target, path, handle, made)
            os.close(handle)

    def settle(self) -> None:
        """Write the bytes through to the disk, which may notice only now that it is full."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())

    def commit(self) -> None:
        """Give it its name."""
        if self.target.is_dir():
            raise _unwritable(self.target, "it is a folder")
        try:
            if sys.platform == "win32":  # where open files cannot be renamed
                self._close()
            self.path.replace(self.target)
        except OSError as error:
            raise _unwritable(self.target, error.strerror or str(error)) from error
        self._close()

    def discard(self) -> None:
        """Delete it, unless it has its name already."""
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
    """Remove those that hold nothing, the innermost first."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _remove_leftovers(target: Path) -> None:
    """Remove the parts of ``target`` whose writers are dead: those that nobody holds a lock on.

    Process ids would not do: they are reused, and mean nothing in another container.
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
    """Whether this process holds the lock of an open file now; None where files have no locks."""
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


def _unwritable(target: Path, reason: str) -> DataError:
    full = reason in (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
    remedy = "free space there, or choose another path" if full else "choose another path"
    return DataError(f"output {target}", f"it cannot be written ({reason})", remedy)
