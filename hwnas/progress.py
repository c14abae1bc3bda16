"""What long work tells its caller: one protocol of progress, and whoever listens.

Library code never prints. It calls :func:`notice` and :func:`progress`; what becomes of that is up to the listener: nothing
but a log record by default, lines and bars on stderr under the command line.
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
    """Called as work goes on: ``progress(3, 40, "subnets")``; the total is None where nobody knows it yet."""

    def __call__(self, done: int, total: int | None, note: str = "", /) -> None: ...


class Listener(Protocol):
    """Receives what long work reports."""

    def notice(self, message: str) -> None:
        """One line: what is done on the user's behalf, or what they should know."""

    def progress(self, title: str) -> AbstractContextManager[Progress]:
        """Something that takes a while begins, and ends with the block."""


def _nowhere(_done: int, _total: int | None, _note: str = "", /) -> None:
    """Progress that nobody watches."""


class Logged(Listener):
    """The usual listener: notices go to the logger ``hwnas``, progress nowhere."""

    def notice(self, message: str) -> None:
        LOG.info(message)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        LOG.debug(title)
        yield _nowhere


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let ``listener`` hear of what is done inside the block."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def _listener() -> Listener:
    return _LISTENER.get() or Logged()


def notice(message: str) -> None:
    """Tell whoever listens."""
    _listener().notice(message)


def progress(title: str) -> AbstractContextManager[Progress]:
    """``with progress("searching") as advance: advance(step, steps, "120 found")``."""
    return _listener().progress(title)


@contextmanager
def resumable(kept: str | Callable[[], str]) -> Iterator[None]:
    """On Ctrl-C say what is ``kept`` by then and that the same command resumes, unless the interruption has words of its own;
    where nothing is (``""``), that it begins again."""
    try:
        yield
    except KeyboardInterrupt as error:
        told = kept if isinstance(kept, str) else kept()
        told = f"{told}; the same command resumes" if told else "nothing is kept yet; the same command begins again"
        raise KeyboardInterrupt(*(error.args or (told,))) from None


def kept_in(*files: Path) -> AbstractContextManager[None]:
    """`resumable`, where the first of some files that is there keeps what was done."""
    return resumable(lambda: next((f"{file} keeps it" for file in files if file.exists()), ""))
