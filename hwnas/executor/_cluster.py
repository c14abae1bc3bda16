"""Evaluations on a Ray cluster, which starts workers, moves weights and detects dead workers (https://docs.ray.io)."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import hwnas
from hwnas.errors import DataError
from hwnas.executor._executor import Executor
from hwnas.executor._work import Failed, Opener, Outcome, Refused, Worker

INSTALL = "pip install 'hwnas[ray]'"

_PATIENCE_S = 10.0
"""Timeout for a connection to the cluster's address."""


class Cluster(Executor):
    """Runs each item as a Ray task with one CPU.

    The opener is sent once to each node, where all workers read it from shared memory. Every node needs this version of hwnas,
    and the data under the same path. Nodes may join and leave.

    Args:
        address: ``ray://HOST:10001``, ``HOST:6379``, or ``auto`` for the cluster that this machine belongs to.
        opener: opened by each worker.
        workers: tasks that run at once; None for one per CPU of the cluster.

    Raises:
        DataError: Ray is not installed; or the cluster cannot be reached, has another version of Ray or Python, has fewer CPUs
            than ``workers``, or no memory for the opener.
    """

    def __init__(self, address: str, opener: Opener, workers: int | None = None) -> None:
        self._name = f"cluster {address}"
        self._ray = ray = _ray(self._name)
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(ray, address, self._name)
        self._asked = workers
        try:
            if workers is not None and workers > self._cpus():
                rule = f"the cluster has {self._cpus()} CPUs"
                raise DataError(f"workers {workers}", rule, "lower it, leave it out, or add nodes")
            self._opener = ray.put(opener)
        except BaseException as error:
            self._running: dict[Any, int] = {}
            self.close()
            if isinstance(error, ray.exceptions.ObjectStoreFullError | ray.exceptions.OutOfDiskError):
                rule = "there is no room for the weights in its shared memory"
                raise DataError(self._name, rule, "start its nodes with a larger --object-store-memory") from error
            raise
        self._run = uuid.uuid4().hex
        self._evaluate = ray.remote(num_cpus=1, max_retries=0)(_evaluate)
        self._running = {}

    @property
    def workers(self) -> int:
        return self._asked or max(self._cpus(), 1)

    def start(self, key: int, item: Any) -> None:
        with self._connected():
            # Ray passes a reference inside a list unresolved, so a worker that has opened it does not fetch it again.
            task = self._evaluate.remote(self._run, hwnas.__version__, str(Path.cwd()), [self._opener], item)
        self._running[task] = key

    def wait(self) -> list[tuple[int, Outcome]]:
        ended: list[tuple[int, Outcome]] = []
        with self._connected():
            ready, _ = self._ray.wait(list(self._running), num_returns=1)
            for task in ready:
                key = self._running.pop(task)
                try:
                    ended.append((key, self._ray.get(task)))
                except self._ray.exceptions.RayError as error:
                    cause = getattr(error, "cause", None)  # an exception of the node before it could evaluate anything
                    what = "a worker died" if cause is None else "a node cannot evaluate"
                    ended.append((key, Failed(f"{what} ({_first_line(cause or error)})")))
        return ended

    def close(self) -> None:
        tasks, self._running = list(self._running), {}
        with suppress(DataError), self._connected():  # without a connection there is nothing to cancel
            for task in tasks:
                self._ray.cancel(task, force=True)
        if self._ours:
            self._ray.shutdown()

    def _cpus(self) -> int:
        with self._connected():
            return int(self._ray.cluster_resources().get("CPU", 0))

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Turn a lost connection into a DataError; every call to Ray is made inside this block."""
        try:
            if not self._ray.is_initialized():  # any call would then start a new cluster on this machine
                raise ConnectionError("Ray has closed it")
            yield
        except (ConnectionError, self._ray.exceptions.RaySystemError) as error:
            rule = f"the connection is lost ({_first_line(error)})"
            raise DataError(self._name, rule, "run the same command again when it is up: it resumes") from error


_OPEN: dict[str, Worker] = {}
"""In a process of the cluster: its worker for the current run, by the run's id."""


def _evaluate(run: str, version: str, folder: str, opener: list[Any], item: Any) -> Outcome:
    """Evaluate an item on a node, in the driver's folder if the node has it, so that relative paths mean the same."""
    import ray

    if version != hwnas.__version__:
        rule = f"a node has hwnas {hwnas.__version__}, not {version}"
        return Refused(DataError("cluster", rule, "install the same everywhere"))
    if run not in _OPEN:
        with suppress(OSError):
            os.chdir(folder)
        _OPEN.clear()
        _OPEN[run] = Worker(ray.get(opener[0]), threads=1)
    return _OPEN[run](item)


def _ray(name: str) -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise DataError(name, "Ray is not installed", INSTALL) from error
    return ray


def _connect(ray: ModuleType, address: str, name: str) -> None:
    """Connect to a running cluster.

    Raises:
        DataError: there is none, it has another version, or the address is malformed.
    """
    remedy = "start it with `ray start --head`, or correct the address"
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address != "auto" and not (host and port.isdecimal()):
        raise DataError(name, "an address reads ray://HOST:10001, HOST:6379 or auto", "write it so")
    try:
        if address != "auto":  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), _PATIENCE_S).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        if "ersion mismatch" in str(error):
            rule = f"it runs another version of Ray or Python ({' '.join(str(error).split())[:200]})"
            raise DataError(name, rule, "install the same everywhere") from error
        raise DataError(name, f"it cannot be reached ({_first_line(error)})", remedy) from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
