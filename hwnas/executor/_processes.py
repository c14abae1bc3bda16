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
from hwnas.quantity import count_of

PER_CPU = 8
"""Workers on a CPU at most."""

_GRACE_S = 5.0
"""How long a process that closed its end of the pipe may take to be gone."""


class Processes(Executor):
    """Processes of this machine, started when there is something to do, and again when one dies.

    They are started afresh (``spawn``), since threads of torch and onnxruntime do not survive a fork: a script that
    uses them must begin its work under ``if __name__ == "__main__":``. They share out the machine's threads, end with
    this process even if it is killed, and leave Ctrl-C to it.

    Args:
        workers: how many.
        opener: what each of them opens.

    Raises:
        DataError: a script began it outside of that block, so that a worker, which imports the script, begins it too.
    """

    def __init__(self, workers: int, opener: Opener) -> None:
        if getattr(multiprocessing.current_process(), "_inheriting", False):  # while it imports the script
            rule = "each worker imports the script, and began it again"
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
            except OSError:  # it is dead: another one takes its place if it was idle, else the item has failed
                if idle:
                    process.end()
                    continue
            self._busy[process.pipe] = process, key
            return

    def wait(self, most_s: float | None = None) -> list[tuple[int, Outcome]]:
        """As of all executors; after ``most_s`` seconds it may be none."""
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
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_crowd(workers: int) -> None:
    """Tell if there are more workers than CPUs.

    Raises:
        DataError: there are so many more that they would only fill the memory, each with its own torch.
    """
    cpus = n_cpus()
    on = count_of(cpus, "CPU")
    if workers > PER_CPU * cpus:
        rule = f"this machine has {on}, and more than {PER_CPU} on one only fill its memory"
        raise DataError(f"workers {workers}", rule, f"write --workers {cpus}")
    if workers > cpus:
        notice(f"{workers} workers on {on}: they take turns")


class _Process:
    """One of them, with the pipe to it."""

    def __init__(self, opener: Opener, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, opener, threads), daemon=True)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
        try:  # the child inherits the mask, so that Ctrl-C never reaches it
            self._process.start()
        finally:
            if mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()

    def cause_of_death(self) -> str:
        """How it ended, in words, once its end of the pipe is closed."""
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
    """What a worker process does until the pipe closes."""
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
    """End at once when the driver has ended, even by SIGKILL in the middle of an evaluation."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
