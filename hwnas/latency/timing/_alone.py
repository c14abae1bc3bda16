"""Only one process at a time times networks on a machine: two would slow each other down.

Boards on which hwnas is not installed run this very file, from Python 3.8 on; see `_board`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK = "HWNAS_TIMING_LOCK"
"""Environment variable with the path of another lock file, for example one that the containers of a machine share."""

_held = threading.local()


def lock_path() -> Path:
    """The file that is locked while any user of this machine times networks."""
    usual = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())
    return Path(os.environ.get(LOCK) or usual / "hwnas-timing.lock")


@contextmanager
def alone(say: Callable[[str], object]) -> Iterator[None]:
    """Wait until no other process or thread of this machine times networks, and keep them waiting during the block.

    A nested block does not wait. The system releases the lock of a process that dies. Where files cannot be locked, nobody
    waits.

    Args:
        say: called with one line if another process holds the lock.
    """
    if getattr(_held, "depth", 0):
        yield
        return
    handle = _locked(say)
    _held.depth = 1
    try:
        yield
    finally:
        _held.depth = 0
        if handle is not None:
            os.close(handle)


def _locked(say: Callable[[str], object]) -> int | None:
    try:
        import fcntl  # there is none on Windows
    except ImportError:
        return None
    try:
        handle = _opened(lock_path())
    except OSError:
        return None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            say(f"waiting for {who}, which times networks on this machine")
            fcntl.flock(handle, fcntl.LOCK_EX)
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:120]
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} ({command})".encode(), 0)
    except OSError:  # a file system without locks, or another user's file, which cannot be written to
        pass
    except BaseException:
        os.close(handle)
        raise
    return handle


def _opened(path: Path) -> int:
    """Open the lock file, read-only if it is another user's: that is enough for a lock.

    Links are not followed. Anybody may leave one in ``/tmp``, and the file it leads to would be overwritten.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CREAT, 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
