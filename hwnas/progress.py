"""Notices and progress of long work.

Library code never prints. It calls :func:`notice` and :func:`progress`, and a listener handles the calls: by default they become
log records; the command line shows lines and bars on stderr.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol

LOG = logging.getLogger("hwnas")


class Progress(Protocol):
    """Called during work: ``progress(3, 40, "subnets")``; the total is None if it is not known yet."""

    def __call__(self, done: int, total: int | None, note: str = "", /) -> None: ...


class Listener(Protocol):
    """Receives the notices and the progress of long work."""

    def notice(self, message: str) -> None:
        """Show one line about what happens, or what the user should know."""

    def progress(self, title: str) -> AbstractContextManager[Progress]:
        """Show the progress of a long task during the block."""


def _ignored(_done: int, _total: int | None, _note: str = "", /) -> None:
    """Progress that is not shown."""


class Logged(Listener):
    """The default listener: notices go to the logger ``hwnas``; progress is not shown."""

    def notice(self, message: str) -> None:
        LOG.info(message)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        LOG.debug(title)
        yield _ignored


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send notices and progress to ``listener`` during the block."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def _listener() -> Listener:
    return _LISTENER.get() or Logged()


def notice(message: str) -> None:
    """Show one line to the user, through the listener."""
    _listener().notice(message)


def progress(title: str) -> AbstractContextManager[Progress]:
    """``with progress("searching") as advance: advance(step, steps, "120 found")``."""
    return _listener().progress(title)


@contextmanager
def resumable(kept: str | Callable[[], str]) -> Iterator[None]:
    """On Ctrl-C, say what is ``kept`` (may be empty) and that the same command resumes, unless the interrupt has a message."""
    try:
        yield
    except KeyboardInterrupt as error:
        state = kept if isinstance(kept, str) else kept()
        words = f"{state}; the same command resumes" if state else "nothing is kept yet; the same command begins again"
        raise KeyboardInterrupt(*(error.args or (words,))) from None


def kept_in(*files: Path) -> AbstractContextManager[None]:
    """`resumable` for work that is kept in the first existing file of ``files``."""
    return resumable(lambda: next((f"{file} keeps it" for file in files if file.exists()), ""))
