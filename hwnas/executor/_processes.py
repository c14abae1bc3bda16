"""Worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection, wait
from multiprocessing.process import parent_process
from typing import Any

from hwnas.errors import DataError
from hwnas.executor._executor import Executor
from hwnas.executor._work import Failed, Opener, Outcome, Worker
from hwnas.progress import notice
from hwnas.wording import count_of

PER_CPU = 8
"""Most workers per CPU."""

_GRACE_S = 5.0
"""Time that a process may take to exit after it closed its end of the pipe."""


class Processes(Executor):
    """Processes of this machine, started on demand, and replaced when they die.

    They start with ``spawn``, because threads of torch and onnxruntime do not survive a fork. So a script that uses them must
    begin its work under ``if __name__ == "__main__":``. They share the machine's threads, end with this process even if it is
    killed, and ignore Ctrl-C.

    Args:
        workers: number of processes.
        opener: opened by each worker.

    Raises:
        DataError: a script starts work outside of that block, so that its workers, which import the script, start it again.
    """

    def __init__(self, workers: int, opener: Opener) -> None:
        if getattr(multiprocessing.current_process(), "_inheriting", False):  # a worker that is importing the script
            rule = "each worker imports the script, and starts its work again"
            raise DataError(f"workers {workers}", rule, 'put what it does under if __name__ == "__main__":')
        self._n = workers
        self._opener = opener
        self._threads = max(1, n_cpus() // workers)
        self._idle: list[_Process] = []
        self._busy: dict[Connection, tuple[_Process, int]] = {}

    @property
    def workers(self) -> int:
        return self._n

    def start(self, key: int, item: Any) -> None:
        while True:
            idle = bool(self._idle)
            process = self._idle.pop() if idle else _Process(self._opener, self._threads)
            try:
                process.pipe.send(item)
            except (
                OSError
            ):  # it died: while idle, so another takes the item; or at once, which fails the item in `wait`
                if idle:
                    process.end()
                    continue
            self._busy[process.pipe] = process, key
            return

    def wait(self, most_s: float | None = None) -> list[tuple[int, Outcome]]:
        """As `Executor.wait`, but may return no outcome after ``most_s`` seconds."""
        ended: list[tuple[int, Outcome]] = []
        for pipe in wait(list(self._busy), most_s):
            assert isinstance(pipe, Connection)
            process, key = self._busy.pop(pipe)
            try:
                ended.append((key, pipe.recv()))
                self._idle.append(process)
            except (EOFError, OSError):
                ended.append((key, Failed(f"a worker died ({process.cause_of_death()})")))
        return ended

    def close(self) -> None:
        processes = [*self._idle, *(process for process, _ in self._busy.values())]
        self._idle, self._busy = [], {}
        for process in processes:
            process.end()


def n_cpus() -> int:
    """Number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_crowd(workers: int) -> None:
    """Notify the user if there are more workers than CPUs.

    Raises:
        DataError: there are more than `PER_CPU` per CPU, which would fill the memory, since each loads torch.
    """
    cpus = n_cpus()
    on = count_of(cpus, "CPU")
    if workers > PER_CPU * cpus:
        rule = f"this machine has {on}, and more than {PER_CPU} on one only fill its memory"
        raise DataError(f"workers {workers}", rule, f"write --workers {cpus}")
    if workers > cpus:
        notice(f"{workers} workers on {on}: they take turns")


class _Process:
    """A worker process, and the pipe to it."""

    def __init__(self, opener: Opener, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, opener, threads), daemon=True)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
        try:  # the child inherits the mask, so that it never gets Ctrl-C
            self._process.start()
        finally:
            if mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()

    def cause_of_death(self) -> str:
        """Exit code or signal in words, after it closed its end of the pipe; also cleans up."""
        self._process.join(_GRACE_S)
        code = self._process.exitcode
        self.end()
        if code is None or code >= 0:
            return f"exit code {code}"
        return f"{signal.Signals(-code).name}{', out of memory?' if -code == signal.SIGKILL else ''}"

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self.pipe.close()


def _serve(pipe: Connection, opener: Opener, threads: int) -> None:
    """The loop of a worker process, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = Worker(opener, threads)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        pipe.send(worker(item))


def _end_with_parent() -> None:
    """Exit as soon as the driver has ended, even if it was killed during an evaluation."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
