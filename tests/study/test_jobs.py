"""Work on several devices: what runs in parallel, what in turn, and how failures are reported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hwnas.errors import DeviceError
from hwnas.study._jobs import Job, on_each


@dataclass
class Work:
    """Jobs that note what happens, in which thread."""

    meeting: threading.Barrier
    happened: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, *, main: bool) -> None:
        assert (threading.current_thread() is threading.main_thread()) == main, what
        with self.lock:
            self.happened.append(what)

    def job(self, name: str, *, elsewhere: bool, fails: str = "") -> Job[str]:
        def step(what: str, *, main: bool) -> None:
            self.note(f"{what} {name}", main=main)
            if fails == what:
                raise DeviceError(name, "no luck", "try another")

        def measure(_go_on: Callable[[], None]) -> None:
            if elsewhere:
                self.meeting.wait(30)  # all other devices are at work now
            step("measure", main=not elsewhere)

        def finish(_measured: None) -> str:
            step("finish", main=True)
            return name.upper()

        return Job(name, measure, finish, elsewhere=elsewhere, prepare=lambda: step("prepare", main=True))


def test_machines_work_at_once_and_this_one_computes_before_and_after() -> None:
    work = Work(threading.Barrier(3))
    far = [work.job(name, elsewhere=True) for name in ("a", "b")]
    near = [work.job(name, elsewhere=False) for name in ("cpu", "gpu")]
    inner = near[0].measure

    def meets(go_on: Callable[[], None]) -> None:
        work.meeting.wait(30)  # the others are at work while this machine is
        inner(go_on)

    jobs = [far[0], Job("cpu", meets, near[0].finish, prepare=near[0].prepare), near[1], far[1]]
    assert [each.result for each in on_each(jobs)] == ["A", "CPU", "GPU", "B"]
    names = ["a", "cpu", "gpu", "b"]
    assert work.happened[:4] == [f"prepare {name}" for name in names]
    assert work.happened[-4:] == [f"finish {name}" for name in names]
    middle = work.happened[4:-4]
    assert sorted(middle) == sorted(f"measure {name}" for name in names)
    assert middle.index("measure cpu") < middle.index("measure gpu")


@pytest.mark.parametrize("step", ["prepare", "measure", "finish"])
def test_one_that_fails_leaves_the_others_alone(step: str) -> None:
    work = Work(threading.Barrier(1 if step == "prepare" else 2))
    ended = on_each(
        [work.job("a", elsewhere=True), work.job("bad", elsewhere=True, fails=step), work.job("cpu", elsewhere=False)]
    )
    assert [each.result for each in ended] == ["A", None, "CPU"]
    assert str(ended[1].error) == "bad: no luck; try another"
    steps = ["prepare", "measure", "finish"]
    assert [what for what in steps if f"{what} bad" in work.happened] == steps[: steps.index(step) + 1]


def test_one_machine_alone_is_worked_at_by_no_thread() -> None:
    def measure(_go_on: Callable[[], None]) -> None:
        assert threading.current_thread() is threading.main_thread()

    assert on_each([Job("a", measure, lambda _: 1, elsewhere=True)])[0].result == 1


def test_an_interruption_here_stops_those_elsewhere() -> None:
    begun, stopped = threading.Event(), threading.Event()

    def far(go_on: Callable[[], None]) -> None:
        begun.set()
        try:
            while True:
                go_on()
        except KeyboardInterrupt:
            stopped.set()
            raise

    def near(_go_on: Callable[[], None]) -> None:
        begun.wait()
        raise KeyboardInterrupt("kept")

    with pytest.raises(KeyboardInterrupt, match="kept"):
        on_each([Job("a", far, lambda _: 1, elsewhere=True), Job("cpu", near, lambda _: 1)])
    assert stopped.is_set()
