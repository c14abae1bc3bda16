"""This process as the only worker."""

from __future__ import annotations

from typing import Any

from hwnas.executor._executor import Executor
from hwnas.executor._work import Opener, Outcome, Worker


class Here(Executor):
    """Evaluates one item at a time in this process, with its number of threads.

    Args:
        opener: opened when the first item starts.
    """

    workers = 1

    def __init__(self, opener: Opener) -> None:
        self._worker = Worker(opener)
        self._next: tuple[int, Any] | None = None

    def start(self, key: int, item: Any) -> None:
        self._next = key, item

    def wait(self) -> list[tuple[int, Outcome]]:
        assert self._next is not None, "nothing was started"
        key, item = self._next
        return [(key, self._worker(item))]

    def close(self) -> None:
        """There is nothing to end."""
