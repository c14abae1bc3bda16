"""One worker's side of the work: what it opens once, and what becomes of each item."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from hwnas.errors import HwnasError, SpaceError, SupernetError


class Opener(Protocol):
    """Called once by each worker: loads weights and data, and returns the function that evaluates an item.

    Openers, items and outcomes are sent to other processes, so all must be picklable. A HwnasError that it raises ends
    the run.
    """

    def __call__(self, threads: int | None, /) -> Callable[[Any], Any]:
        """The function that evaluates an item, with so many threads; None keeps the number that this process has."""


@dataclass(frozen=True)
class Done:
    """An item's value."""

    value: Any


@dataclass(frozen=True)
class Failed:
    """An item that failed: the reason in words, the traceback if there is one, and whether to try again."""

    reason: str
    trace: str = ""
    again: bool = True


@dataclass(frozen=True)
class Refused:
    """Bad input of the whole run: data, names, devices, or whatever could not be opened."""

    error: HwnasError


Outcome = Done | Failed | Refused


class Worker:
    """Opens what it works with when the first item comes.

    Args:
        opener: what to open.
        threads: of each evaluation; None for the process's own number.
    """

    def __init__(self, opener: Opener, threads: int | None = None) -> None:
        self._opener = opener
        self._threads = threads
        self._work: Callable[[Any], Any] | None = None

    def __call__(self, item: Any) -> Outcome:
        """Evaluate an item. Errors are outcomes; a KeyboardInterrupt is not, and is raised."""
        try:
            if self._work is None:
                self._work = self._opener(self._threads)
            return Done(self._work(item))
        except HwnasError as error:
            of_item = self._work is not None and isinstance(error, SpaceError | SupernetError)
            return Failed(str(error), again=False) if of_item else Refused(error)
        except Exception as error:  # noqa: BLE001 - whatever a supernet of the user's raises
            return Failed(f"{type(error).__name__}: {error}", traceback.format_exc())
