"""The work that the tests give to workers, which import it by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnas.errors import DataError, SupernetError, UnknownNameError


@dataclass(frozen=True)
class Chores:
    """Items are (what, number): an answer that depends on the number alone, or a mishap.

    Attributes:
        folder: where a worker leaves a file named by its process, and by the item it is at.
    """

    folder: Path

    def __call__(self, _threads: int | None, /) -> Callable[[Any], Any]:
        (self.folder / f"worker-{os.getpid()}").touch()
        return self.do

    def do(self, item: tuple[str, int]) -> int:
        what, number = item
        first = not (mark := self.folder / f"{what}-{number}").exists()
        mark.write_text(str(os.getpid()))
        if what == "slow":  # later items end earlier
            time.sleep(0.02 * (number % 3))
        elif what == "stuck" and first:
            time.sleep(60)
        elif what == "crash" or (what == "crash once" and first):
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "raise":
            raise ValueError(f"item {number} is odd")
        elif what == "misfit":
            with (self.folder / "misfits").open("a") as told:
                told.write(f"{number}\n")
            raise SupernetError(f"layer {number}", "it does not fit", "leave it out")
        elif what == "refuse":
            raise UnknownNameError("thing", "fish", ["dish"])
        return number * number


class Unsent:
    """Work at which a process ends while it reads of it."""

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        return os._exit, (3,)

    def __call__(self, _threads: int | None, /) -> Callable[[Any], Any]:
        raise AssertionError


class Unopened:
    """Work that cannot be opened."""

    def __call__(self, _threads: int | None, /) -> Callable[[Any], Any]:
        raise DataError("weights", "they are gone", "look for them")
