"""Output of commands: notices and progress on stderr, results on stdout."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hwnas.progress import Listener, Progress

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as Bars

UNBOUNDED = 1000
"""Width in characters of a table in a file or pipe."""


def say(text: str = "") -> None:
    """Write a result to stdout."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def notice(message: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


class Terminal(Listener):
    """Reports on stderr; tasks that run at once have a progress bar each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bars: Bars | None = None
        self._n = 0

    def notice(self, message: str) -> None:
        notice(message)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """A bar with elapsed and remaining time, removed at the end; nothing if stderr is not a terminal."""
        if not sys.stderr.isatty():
            yield lambda _done, _total, _note="", /: None
            return
        with self._lock:
            bars = self._bars = self._bars or _bars()
            self._n += 1
        task = bars.add_task(title, total=None, count="", note="")

        def advance(done: int, total: int | None, note: str = "", /) -> None:
            count = f"{done}" if total is None else f"{done}/{total}"
            bars.update(task, completed=done, total=total, count=count, note=note)

        try:
            yield advance
        finally:
            with self._lock:
                self._n -= 1
                bars.remove_task(task)
                if not self._n:
                    bars.stop()
                    self._bars = None


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]} {task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bars = Progress(*columns, console=Console(stderr=True), transient=True)
    bars.start()
    return bars


def show(renderable: RenderableType) -> None:
    """Print a table to stdout: as wide as the terminal, or as wide as it is in a file or pipe."""
    from rich.console import Console

    bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    Console(width=None if bounded else UNBOUNDED).print(renderable)
