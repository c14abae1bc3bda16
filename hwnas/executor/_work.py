"""The worker's side of an executor: it opens weights and data once, and evaluates items."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from hwnas.errors import HwnasError, SpaceError, SupernetError


class Opener(Protocol):
    """Called once by each worker: loads weights and data, and returns the function that evaluates an item.

    Openers, items and outcomes must be picklable, since they are sent to other processes. A HwnasError from an opener ends the
    run.
    """

    def __call__(self, threads: int | None, /) -> Callable[[Any], Any]:
        """The function that evaluates an item; ``threads`` of None keeps this process's number of threads."""


@dataclass(frozen=True)
class Done:
    """An evaluated item."""

    value: Any


@dataclass(frozen=True)
class Failed:
    """A failed item: the reason in words, the traceback if there is one, and whether to try again."""

    reason: str
    trace: str = ""
    again: bool = True


@dataclass(frozen=True)
class Refused:
    """An error that ends the whole run: bad data, names or devices, or an opener that failed."""

    error: HwnasError


Outcome = Done | Failed | Refused


class Worker:
    """Evaluates items, after calling the opener for the first one.

    Args:
        opener: loads weights and data.
        threads: of each evaluation; None for the process's number.
    """

    def __init__(self, opener: Opener, threads: int | None = None) -> None:
        self._opener = opener
        self._threads = threads
        self._work: Callable[[Any], Any] | None = None

    def __call__(self, item: Any) -> Outcome:
        """Evaluate an item. Errors become outcomes, except for KeyboardInterrupt, which is raised."""
        try:
            if self._work is None:
                self._work = self._opener(self._threads)
            return Done(self._work(item))
        except HwnasError as error:
            of_item = self._work is not None and isinstance(error, SpaceError | SupernetError)
            return Failed(str(error), again=False) if of_item else Refused(error)
        except Exception as error:  # noqa: BLE001 - a user's supernet may raise anything
            return Failed(f"{type(error).__name__}: {error}", traceback.format_exc())
