"""A Ray cluster: Ray starts workers, moves weights and finds out what died (https://docs.ray.io)."""

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
"""How long an address may take to answer."""


class Cluster(Executor):
    """Tasks of a Ray cluster, one CPU each.

    What is opened travels once to each node, where all workers read it from shared memory. Every node needs this version
    of hwnas, and the data under the same path. Nodes may come and go.

    Args:
        address: ``ray://HOST:10001``, ``HOST:6379``, or ``auto`` for the cluster that this machine belongs to.
        opener: what each worker opens.
        workers: tasks that run at once; None for as many as the cluster has CPUs.

    Raises:
        DataError: Ray is not installed, the cluster cannot be reached, has another version of Ray or Python, has fewer
            CPUs than asked, or no room for what is opened.
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
            # In a list Ray passes a reference, so a worker that has it open already does not fetch it again.
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
                    cause = getattr(error, "cause", None)  # of what a node raised before it could evaluate anything
                    what = "a worker died" if cause is None else "a node cannot evaluate"
                    ended.append((key, Failed(f"{what} ({_first_line(cause or error)})")))
        return ended

    def close(self) -> None:
        tasks, self._running = list(self._running), {}
        with suppress(DataError), self._connected():  # a cluster that is lost has nothing to end
            for task in tasks:
                self._ray.cancel(task, force=True)
        if self._ours:
            self._ray.shutdown()

    def _cpus(self) -> int:
        with self._connected():
            return int(self._ray.cluster_resources().get("CPU", 0))

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """For all that is said to the cluster.

        Raises:
            DataError: the connection is lost.
        """
        try:
            if not self._ray.is_initialized():  # whatever is said then begins a cluster of this machine
                raise ConnectionError("Ray has closed it")
            yield
        except (ConnectionError, self._ray.exceptions.RaySystemError) as error:
            rule = f"the connection is lost ({_first_line(error)})"
            raise DataError(self._name, rule, "run the same command again when it is up: it resumes") from error


_OPEN: dict[str, Worker] = {}
"""Of a process of the cluster: the worker of the run that it last worked for."""


def _evaluate(run: str, version: str, folder: str, opener: list[Any], item: Any) -> Outcome:
    """Evaluate an item, on whichever node this runs: in the driver's folder where the node has it, so that relative paths
    mean what they mean there."""
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
        DataError: there is none, or one of another version; or the address is none.
    """
    remedy = "start it with `ray start --head`, or correct the address"
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address != "auto" and not (host and port.isdecimal()):
        raise DataError(name, "an address reads ray://HOST:10001, HOST:6379 or auto", "write it so")
    try:
        if address != "auto":  # Ray itself tries for minutes
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
