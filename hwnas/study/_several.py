"""Work on several devices: at once on different machines, one after the other on this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass
from threading import Event
from typing import Generic, TypeVar

from hwnas.errors import HwnasError

T = TypeVar("T")


@dataclass(frozen=True)
class Job(Generic[T]):
    """Work on one device in three steps. For another machine, this one computes in the first and the last, and waits in the
    middle one.

    Attributes:
        device: the device as it was named.
        measure: measures. It is given a function that raises KeyboardInterrupt once the work is interrupted.
        finish: makes the result of the measurements.
        elsewhere: whether the device is another machine's.
        prepare: makes the files to send there.
    """

    device: str
    measure: Callable[[Callable[[], None]], object]
    finish: Callable[[], T]
    elsewhere: bool = False
    prepare: Callable[[], object] | None = None


@dataclass(frozen=True)
class Ended(Generic[T]):
    """The outcome on a device: a result or an error."""

    device: str
    result: T | None = None
    error: HwnasError | None = None


def on_each(jobs: Sequence[Job[T]]) -> list[Ended[T]]:
    """The outcome on each device, in order. A device that fails does not stop the others.

    This machine computes nothing else while it is timed: files for other machines are made before, and their results are
    read when all are done. If two devices are the same machine, its lock makes them wait for each other.
    """
    errors: dict[int, HwnasError] = {}
    results: dict[int, T] = {}

    def tried(number: int, step: Callable[[], object]) -> None:
        if number not in errors:
            try:
                step()
            except HwnasError as error:
                errors[number] = error

    numbered = list(enumerate(jobs))
    for number, job in numbered:
        if job.prepare is not None:
            tried(number, job.prepare)
    stopped = Event()

    def go_on() -> None:
        if stopped.is_set():
            raise KeyboardInterrupt

    def measure(number: int, job: Job[T]) -> None:
        tried(number, lambda: job.measure(go_on))

    def measure_in(context: Context, number: int, job: Job[T]) -> None:
        context.run(measure, number, job)

    others = [(number, job) for number, job in numbered if job.elsewhere and len(jobs) > 1]
    here = [pair for pair in numbered if pair not in others]
    with ThreadPoolExecutor(max(1, len(others))) as pool:
        running = [pool.submit(measure_in, copy_context(), number, job) for number, job in others]
        try:
            for pair in here:
                measure(*pair)
            for each in running:
                each.result()
        except BaseException:
            stopped.set()
            raise
    for number, job in numbered:
        tried(number, lambda number=number, job=job: results.update({number: job.finish()}))  # type: ignore[misc]
    return [Ended(job.device, results.get(number), errors.get(number)) for number, job in numbered]
