"""How fast work goes, in words."""

from __future__ import annotations

import time

from hwnas.quantity import count_of


class Pace:
    """Counts from its first call on.

    Args:
        workers: how many there are.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._since: tuple[float, int] | None = None

    def __call__(self, done: int) -> str:
        """``"4 workers, 31 per minute"`` when so many are done in all."""
        now = time.monotonic()
        if self._since is None:
            self._since = now, done
        began, first = self._since
        crew = count_of(self.workers, "worker")
        if done <= first or now <= began:
            return crew
        return f"{crew}, {60 * (done - first) / (now - began):.3g} per minute"
