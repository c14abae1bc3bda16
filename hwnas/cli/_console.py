"""What commands say while they work: notices and progress on stderr, results on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType


def notice(message: str) -> None:
    """One line on stderr: what is done on the user's behalf."""
    typer.echo(message, err=True)


def show(renderable: RenderableType) -> None:
    """A table on stdout."""
    from rich.console import Console  # noqa: PLC0415

    Console().print(renderable)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """``with progress_bar("searching") as advance: advance(step, steps, "120 found")``.

    A bar with elapsed and remaining time on stderr; gone when done, silent where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        yield lambda _step, _steps, _note: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, note="")
        yield lambda step, steps, note: bar.update(task, completed=step, total=steps, note=note)


def listed(values: Sequence[int | float | str]) -> str:
    """``128 to 224 in steps of 4``, or the values themselves."""
    numbers = [v for v in values if not isinstance(v, str)]
    steps = {b - a for a, b in pairwise(numbers)}
    if len(values) == len(numbers) > 5 and len(steps) == 1:
        return f"{values[0]} to {values[-1]} in steps of {steps.pop()}"
    return ", ".join(map(str, values))
