"""Executor: hands items to workers, retries failed items, and yields the outcome of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from hwnas.executor._work import Done, Failed, Outcome, Refused
from hwnas.progress import notice

ATTEMPTS = 3
"""Attempts at an item, on any free worker, before it counts as failed."""

AHEAD = 4
"""Items per worker that may end before an earlier item; these are the most that a killed run loses."""


class Executor(ABC):
    """Workers that evaluate items: in this process, in processes of this machine, or on a cluster.

    Subclasses implement starting an item and waiting for some to end. This class implements order, retries, and closing when the
    caller stops early. An executor must be closed, or used in a ``with`` block.
    """

    @property
    @abstractmethod
    def workers(self) -> int:
        """Number of items that run at once."""

    @abstractmethod
    def start(self, key: int, item: Any) -> None:
        """Start an item on a free worker."""

    @abstractmethod
    def wait(self) -> list[tuple[int, Outcome]]:
        """Wait until at least one item has ended, and return the outcomes; a dead worker's item is Failed."""

    @abstractmethod
    def close(self) -> None:
        """End all workers at once, even busy ones. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def as_finished(self, items: Iterable[Any | None]) -> Iterator[tuple[int, Any, Done | Failed]]:
        """Yield ``(number, item, outcome)`` in the order in which items end.

        The next item is taken when a worker is free. Failed items are tried up to ``ATTEMPTS`` times.

        Args:
            items: a None means that there is no item yet; the iterator is asked again when another item has ended.

        Raises:
            HwnasError: an item was Refused.
        """
        source, number = iter(items), 0
        running: dict[int, tuple[Any, int]] = {}
        again: deque[tuple[int, Any, int]] = deque()
        try:
            while True:
                while len(running) < self.workers:
                    if again:
                        key, item, attempt = again.popleft()
                    else:
                        item = next(source, None)
                        if item is None:
                            break
                        key, attempt, number = number, 1, number + 1
                    running[key] = item, attempt
                    self.start(key, item)
                if not running:
                    return
                for key, outcome in self.wait():
                    item, attempt = running.pop(key)
                    if isinstance(outcome, Refused):
                        raise outcome.error
                    if isinstance(outcome, Failed) and outcome.again and attempt < ATTEMPTS:
                        notice(f"{outcome.reason}: what it ran is tried again ({attempt + 1} of {ATTEMPTS})")
                        again.append((key, item, attempt + 1))
                        continue
                    yield key, item, outcome
        finally:
            if running:  # the caller stopped early
                self.close()

    def in_order(self, items: Sequence[Any]) -> Iterator[Done | Failed]:
        """Yield the outcomes of items in the order of ``items``; see :meth:`as_finished`."""
        held: dict[int, Done | Failed] = {}
        yielded = 0

        def fed() -> Iterator[Any | None]:
            for number, item in enumerate(items):
                while number >= yielded + AHEAD * self.workers:
                    yield None
                yield item

        for key, _, outcome in self.as_finished(fed()):
            held[key] = outcome
            while yielded in held:
                yield held.pop(yielded)
                yielded += 1
