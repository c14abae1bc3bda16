"""Jobs on several devices: at once on different machines, one after the other on this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from threading import Event
from typing import Any, Generic, TypeVar

from hwnas.errors import HwnasError

T = TypeVar("T")
R = TypeVar("R")

GoOn = Callable[[], None]
"""Raises KeyboardInterrupt once the work is interrupted."""


def _no_files() -> None:
    """The first step of a job that sends no files."""


@dataclass(frozen=True)
class Job(Generic[T]):
    """Work on one device in three steps. For another machine, this one computes in the first and the last, and waits in the
    middle one.

    Attributes:
        device: the device as it was named.
        measure: measures.
        finish: makes the result of what ``measure`` returned.
        elsewhere: whether the device is another machine's.
        prepare: makes the files to send there.
    """

    device: str
    measure: Callable[[GoOn], Any]
    finish: Callable[[Any], T]
    elsewhere: bool = False
    prepare: Callable[[], object] = _no_files

    def run(self) -> T:
        """All steps, without other jobs."""
        self.prepare()
        return self.finish(self.measure(lambda: None))


@dataclass(eq=False)
class Outcome(Generic[T]):
    """What has become of a job: a result or an error."""

    job: Job[T]
    measured: Any = None
    result: T | None = None
    error: HwnasError | None = None

    def prepare(self) -> None:
        """The first step."""
        self._try(self.job.prepare)

    def measure(self, go_on: GoOn) -> None:
        """The second step, unless the first failed."""
        self.measured = self._try(lambda: self.job.measure(go_on))

    def finish(self) -> None:
        """The last step, unless another failed."""
        self.result = self._try(lambda: self.job.finish(self.measured))

    def _try(self, step: Callable[[], R]) -> R | None:
        if self.error is None:
            try:
                return step()
            except HwnasError as error:
                self.error = error
        return None


def on_each(jobs: Sequence[Job[T]]) -> list[Outcome[T]]:
    """The outcome of each job, in order. A device that fails does not stop the others.

    This machine computes nothing else while it is timed: files for other machines are made before, and their results are
    read when all are done. If two devices are the same machine, its lock makes them wait for each other.
    """
    outcomes = [Outcome(job) for job in jobs]
    for each in outcomes:
        each.prepare()
    stopped = Event()

    def go_on() -> None:
        if stopped.is_set():
            raise KeyboardInterrupt

    others = [each for each in outcomes if each.job.elsewhere and len(jobs) > 1]
    with ThreadPoolExecutor(max(1, len(others))) as pool:
        running = [pool.submit(copy_context().run, each.measure, go_on) for each in others]
        try:
            for each in outcomes:
                if each not in others:
                    each.measure(go_on)
            for future in running:
                future.result()
        except BaseException:
            stopped.set()
            raise
    for each in outcomes:
        each.finish()
    return outcomes
