"""Executor: where work runs. It hands items to workers, tries again what failed, and tells what became of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from hwnas.executor._work import Done, Failed, Outcome, Refused
from hwnas.progress import notice

ATTEMPTS = 3
"""Times that an item is tried, on whichever worker is free, before it counts as one that always fails."""

AHEAD = 4
"""Items per worker that may have ended before an earlier one has: what a killed run may lose is bounded by it."""


class Executor(ABC):
    """Workers that evaluate items: here, in processes of this machine, or on a cluster.

    A kind of executor says how to start an item and how to wait until some have ended; order, retries and what becomes
    of an abandoned run are the same for all. To be closed, or used in a ``with`` block.
    """

    @property
    @abstractmethod
    def workers(self) -> int:
        """Items that run at once."""

    @abstractmethod
    def start(self, key: int, item: Any) -> None:
        """Let a free worker begin an item."""

    @abstractmethod
    def wait(self) -> list[tuple[int, Outcome]]:
        """Wait until an item or more have ended, and tell what became of them; a worker that died is Failed."""

    @abstractmethod
    def close(self) -> None:
        """End all workers at once, whatever they are at. Closing twice is fine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def as_finished(self, items: Iterable[Any | None]) -> Iterator[tuple[int, Any, Done | Failed]]:
        """Items with their numbers and what became of them, in the order in which they end.

        An item is taken whenever a worker is free. Failed items are tried again, ``ATTEMPTS`` times in all.

        Args:
            items: any; None says that there is none at present, and is asked again when another one has ended.

        Raises:
            HwnasError: what an item was refused with.
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
            if running:  # the caller is gone, so nobody wants what still runs
                self.close()

    def in_order(self, items: Sequence[Any]) -> Iterator[Done | Failed]:
        """What became of items, in their order, whichever ends first; see :meth:`as_finished`."""
        held: dict[int, Done | Failed] = {}
        told = 0

        def fed() -> Iterator[Any | None]:
            for number, item in enumerate(items):
                while number >= told + AHEAD * self.workers:
                    yield None
                yield item

        for key, _, outcome in self.as_finished(fed()):
            held[key] = outcome
            while told in held:
                yield held.pop(told)
                told += 1
