"""Executors: order, retries, deaths, and nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.errors import DataError, UnknownNameError
from hwnas.executor import AHEAD, ATTEMPTS, Done, Executor, Failed, Here, Outcome, Processes, Where
from tests.executor.chores import Chores, Unopened, Unsent

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert not multiprocessing.active_children()


class Shuffled(Executor):
    """Items end in an order drawn by a test; some attempts fail."""

    def __init__(self, workers: int, order: Iterator[int], failures: Counter[int]) -> None:
        self._workers, self._order, self._failures = workers, order, failures
        self.running: dict[int, Any] = {}
        self.started: list[int] = []
        self.most = self.closed = 0

    @property
    def workers(self) -> int:
        return self._workers

    def start(self, key: int, item: Any) -> None:
        self.running[key] = item
        self.started.append(key)
        self.most = max(self.most, len(self.running))

    def wait(self) -> list[tuple[int, Outcome]]:
        key = sorted(self.running)[next(self._order, 0) % len(self.running)]
        item = self.running.pop(key)
        if self._failures[item]:
            self._failures[item] -= 1
            return [(key, Failed("bad luck"))]
        return [(key, Done(-item))]

    def close(self) -> None:
        self.closed += 1


@settings(max_examples=60)
@given(
    n=st.integers(0, 30),
    workers=st.integers(1, 9),
    order=st.lists(st.integers(0, 8), max_size=80),
    failures=st.dictionaries(st.integers(0, 29), st.integers(1, ATTEMPTS + 1), max_size=4),
)
def test_whatever_ends_first_outcomes_keep_the_order_of_items(n, workers, order, failures):
    executor = Shuffled(workers, iter(order), Counter(failures))
    told = list(executor.in_order(range(n)))
    assert told == [Failed("bad luck") if failures.get(i, 0) >= ATTEMPTS else Done(-i) for i in range(n)]
    assert executor.most <= workers
    assert executor.most == workers or n < workers
    assert Counter(executor.started) == {i: min(failures.get(i, 0) + 1, ATTEMPTS) for i in range(n)}


@settings(max_examples=30)
@given(workers=st.integers(1, 5), order=st.lists(st.integers(1, 8), min_size=60, max_size=60))
def test_no_item_begins_far_ahead_of_one_that_has_not_ended(workers, order):
    executor, told = Shuffled(workers, iter(order), Counter()), 0
    for _ in executor.in_order(range(50)):
        assert max(executor.started) < told + AHEAD * workers
        told += 1
    assert told == 50


def test_whoever_goes_away_leaves_no_work_running():
    executor = Shuffled(3, iter([]), Counter())
    for _ in executor.in_order(range(9)):
        break
    assert executor.closed


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_results_do_not_depend_on_the_number_of_workers(workers, tmp_path: Path):
    with Where(workers).open(Chores(tmp_path)) as executor:
        told = list(executor.in_order([("slow", i) for i in range(12)]))
        assert told == [Done(i * i) for i in range(12)]
        assert len(list(tmp_path.glob("worker-*"))) == (workers or 1)
        assert list(executor.in_order([("slow", 100)])) == [Done(10000)]  # another batch, the same workers
        assert len(list(tmp_path.glob("worker-*"))) == (workers or 1)


def test_a_worker_that_is_killed_costs_its_item_a_retry(tmp_path: Path):
    told: list[Done | Failed] = []
    with Processes(2, Chores(tmp_path)) as executor:
        run = threading.Thread(
            target=lambda: told.extend(executor.in_order([("stuck", 0), *[("slow", i) for i in range(1, 8)]]))
        )
        run.start()
        mark = tmp_path / "stuck-0"
        while not mark.exists() or not mark.read_text():
            time.sleep(0.01)
        os.kill(int(mark.read_text()), signal.SIGKILL)
        run.join()
        assert len(list(tmp_path.glob("worker-*"))) == 3
    assert told == [Done(i * i) for i in range(8)]


def test_an_idle_worker_that_is_killed_is_replaced(tmp_path: Path):
    with Processes(1, Chores(tmp_path)) as executor:
        for number in range(3):
            assert list(executor.in_order([("slow", number)])) == [Done(number * number)]
            (process,) = multiprocessing.active_children()
            process.kill()
            process.join()


@pytest.mark.parametrize("size", [1, 2**22], ids=["small", "larger than a pipe"])
def test_a_worker_that_dies_before_it_reads_its_item_has_failed(size: int):
    with Processes(1, Unsent()) as executor:
        assert list(executor.in_order([bytes(size)])) == [Failed("a worker died (exit code 3)")]


def test_what_always_fails_is_told_and_the_rest_goes_on(tmp_path: Path):
    items = [("slow", 0), ("crash", 1), ("raise", 2), ("crash once", 3), ("slow", 4)]
    with Processes(2, Chores(tmp_path)) as executor:
        zero, crashed, raised, once, four = executor.in_order(items)
    assert (zero, once, four) == (Done(0), Done(9), Done(16))
    assert crashed == Failed("a worker died (SIGKILL, out of memory?)")
    assert isinstance(raised, Failed)
    assert raised.reason == "ValueError: item 2 is odd"
    assert 'raise ValueError(f"item {number} is odd")' in raised.trace


@pytest.mark.parametrize("workers", [None, 1])
def test_bad_input_ends_the_work_and_keeps_its_words(workers, tmp_path: Path):
    with Where(workers).open(Chores(tmp_path)) as executor:
        with pytest.raises(
            UnknownNameError, match="thing 'fish': there is no such thing; did you mean 'dish'"
        ) as found:
            list(executor.in_order([("slow", 0), ("refuse", 1), ("slow", 2)]))
        assert found.value.known == ["dish"]
    with Where(workers).open(Unopened()) as executor, pytest.raises(DataError, match="weights: they are gone"):
        list(executor.in_order([("slow", 0)]))


@pytest.mark.parametrize("workers", [None, 1])
def test_what_does_not_fit_one_item_fails_that_item_at_once(workers, tmp_path):
    with Where(workers).open(Chores(tmp_path)) as executor:
        told = list(executor.in_order([("fine", 0), ("misfit", 1), ("fine", 2)]))
    assert told == [Done(0), Failed("layer 1: it does not fit; leave it out", again=False), Done(4)]
    assert (tmp_path / "misfits").read_text() == "1\n", "another attempt would fail as well"


def test_here_interruptions_are_no_outcomes():
    def interrupted(_item: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Here(lambda _threads: interrupted).in_order([1]))


DRIVER = """
import signal, sys
from pathlib import Path
from hwnas.executor import Processes
from tests.executor.chores import Chores

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored in the background
    with Processes(2, Chores(Path(sys.argv[1]))) as executor:
        list(executor.in_order([("stuck", 0), ("stuck", 1)]))
"""


def test_a_script_that_begins_outside_of_its_main_block_is_told_so(tmp_path: Path):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.replace('__name__ == "__main__"', "True"))
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = "DataError: workers 2: each worker imports the script, and starts its work again; put what it does under if __name__"
    assert told in done.stderr
    assert not [*tmp_path.glob("worker-*")]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_driver(how: signal.Signals, tmp_path: Path):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    driver = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    marks = [tmp_path / f"stuck-{i}" for i in range(2)]
    while not all(mark.exists() and mark.read_text() for mark in marks):
        assert driver.poll() is None, driver.stderr
        time.sleep(0.02)
    if how == signal.SIGINT:
        os.killpg(driver.pid, how)  # as Ctrl-C does: workers get it too
    else:
        driver.send_signal(how)
    told = driver.communicate()[1]
    assert told.count("Traceback") == (1 if how == signal.SIGINT else 0)  # the driver's own
    pids = [int(mark.read_text()) for mark in marks]
    while any(_runs(pid) for pid in pids):  # the test's own time limit ends this
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_five_hundred_evaluations_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    temporary = tmp_path / "temporary"  # of these processes alone
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    def here() -> set[str]:
        return {path.name for path in temporary.iterdir()}

    with Processes(2, Chores(tmp_path)) as executor:  # what multiprocessing itself opens once
        list(executor.in_order([("quick", 0)]))
    before, files, threads = open_files(), here(), threading.active_count()
    with Processes(2, Chores(tmp_path)) as executor:
        items = [("crash once" if i % 100 == 99 else "quick", i) for i in range(500)]
        assert list(executor.in_order(items)) == [Done(i * i) for i in range(500)]
        assert len(multiprocessing.active_children()) <= 2
    assert (open_files(), threading.active_count()) == (before, threads)
    assert here() <= files


def test_a_number_of_workers_is_one_at_least():
    for workers in (0, -3):
        with pytest.raises(DataError, match=f"workers {workers}: at least 1 is needed"):
            Where(workers)
