"""The rate of work, in words."""

from __future__ import annotations

import time

from hwnas.wording import count_of


class Pace:
    """Measures the rate since its first call.

    Args:
        workers: number of workers.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._since: tuple[float, int] | None = None

    def __call__(self, done: int) -> str:
        """``"4 workers, 31 per minute"``, given the number of items done so far."""
        now = time.monotonic()
        if self._since is None:
            self._since = now, done
        began, first = self._since
        crew = count_of(self.workers, "worker")
        if done <= first or now <= began:
            return crew
        return f"{crew}, {60 * (done - first) / (now - began):.3g} per minute"
