"""Whether evaluations by workers leak memory, open files, processes or temporary files: every 50 of 500, and at the end.

``python -m benchmarks.soak [--evals 500] [--workers 2] [--cluster ADDRESS]`` runs ``hwnas evaluate`` on digits in its own process
and temporary folder, kills a worker with SIGKILL at every hundredth evaluation, and then interrupts a second run like Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from hwnas.cli import main; main()"
)
"""A shell that starts this in the background makes it ignore Ctrl-C, so the handler is set again."""

EVERY = 50
KILL_EVERY = 100


@dataclass(frozen=True)
class Seen:
    """Resources of a driver and its workers.

    Attributes:
        driver_mb, workers_mb: resident memory of the driver, and of the largest worker.
        driver_files, worker_files: open files of the driver, and most of any worker.
        processes: number of the driver and all its descendants.
        temporary: number of files and folders in the temporary folder.
    """

    driver_mb: float
    workers_mb: float
    driver_files: int
    worker_files: int
    processes: int
    temporary: int

    @classmethod
    def of(cls, driver: int, folder: Path) -> Seen:
        workers = [pid for pid in descendants(driver) if is_worker(pid)]
        return cls(
            memory_mb(driver),
            max(map(memory_mb, workers), default=0.0),
            open_files(driver),
            max(map(open_files, workers), default=0),
            1 + len(descendants(driver)),
            sum(1 for _ in folder.rglob("*")),
        )

    def __str__(self) -> str:
        return (
            f"{self.driver_mb:10.0f} {self.workers_mb:10.0f} {self.driver_files:12} {self.worker_files:12} "
            f"{self.processes:10} {self.temporary:10}"
        )


HEADER = "evals  driver MB  worker MB driver files worker files  processes  temporary"


def descendants(pid: int) -> list[int]:
    """All descendants of a process."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return found + [below for child in found for below in descendants(child)]


def is_worker(pid: int) -> bool:
    """Whether a process is a worker."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def memory_mb(pid: int) -> float:
    """Resident memory; 0 if the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return 0.0


def open_files(pid: int) -> int:
    """Number of open files; 0 if the process is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 (pathlib opens each)
    except OSError:
        return 0


def lines(journal: Path) -> int:
    """Number of evaluations in a journal."""
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else 0


@contextmanager
def evaluating(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``hwnas evaluate`` in its own session, with temporary files in ``folder/tmp``."""
    (folder / "tmp").mkdir(parents=True)
    command = [sys.executable, "-c", INTERRUPTIBLE, "evaluate", "--supernet", "digits", *options]
    environment = os.environ | {"TMPDIR": str(folder / "tmp"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as driver:
        try:
            yield driver
        finally:
            driver.kill()


def left(pids: list[int], folder: Path) -> str:
    """Processes and files that a run left behind, in words."""
    alive = [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()]
    files = [str(path.relative_to(folder)) for path in (folder / "tmp").rglob("*")]
    return f"{len(alive)} processes, {len(files)} temporary files {files[:5]}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--evals", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cluster")
    asked = parser.parse_args()
    where = ["--workers", str(asked.workers), *(["--cluster", asked.cluster] if asked.cluster else [])]
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        _soak(Path(scratch) / "whole", asked.evals, where)
        _interrupt(Path(scratch) / "interrupted", asked.evals, where)


def _soak(folder: Path, evals: int, where: list[str]) -> None:
    print(HEADER)
    journal, pids, killed = folder / "accuracy.csv.journal.jsonl", set[int](), 0
    with evaluating(folder, "--sample", str(evals), "--out", "accuracy.csv", *where) as driver:
        printed = 0
        while driver.poll() is None:
            time.sleep(0.02)
            below = descendants(driver.pid)
            pids |= set(below)
            done = lines(journal)
            if done >= printed + EVERY:
                printed = done - done % EVERY
                print(f"{printed:5} {Seen.of(driver.pid, folder / 'tmp')}", flush=True)
            workers = [pid for pid in below if is_worker(pid)]
            if workers and done // KILL_EVERY > killed:
                killed += 1
                os.kill(workers[0], signal.SIGKILL)
        errors = driver.communicate()[1]
    print(f"exit code {driver.returncode}, {lines(journal)} evaluations kept, {killed} workers killed")
    print(f"left behind: {left([driver.pid, *pids], folder)}")
    if driver.returncode:
        print(errors)


def _interrupt(folder: Path, evals: int, where: list[str]) -> None:
    journal = folder / "accuracy.csv.journal.jsonl"
    with evaluating(folder, "--sample", str(evals), "--out", "accuracy.csv", *where) as driver:
        while lines(journal) < EVERY and driver.poll() is None:
            time.sleep(0.02)
        pids = descendants(driver.pid)
        os.killpg(driver.pid, signal.SIGINT)  # also to workers, as from a terminal
        errors = driver.communicate()[1]
    print(f"Ctrl-C: exit code {driver.returncode}, {errors.strip().splitlines()[-1]}")
    print(f"left behind: {left([driver.pid, *pids], folder)}")


if __name__ == "__main__":
    main()
