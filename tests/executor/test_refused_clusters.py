"""Clusters that cannot serve are one line: Ray is a stand-in that answers as Ray does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hwnas
from hwnas.errors import DataError
from hwnas.executor import Cluster, Done, Failed, _cluster


class FullError(Exception):
    """In the place of Ray's two."""


class Ray:
    """A cluster of two CPUs.

    Args:
        init: what connecting raises.
        put: what storing an object raises.
    """

    exceptions = SimpleNamespace(ObjectStoreFullError=FullError, OutOfDiskError=FullError)

    def __init__(self, init: Exception | None = None, put: Exception | None = None) -> None:
        self._init, self._put, self.connected = init, put, False

    def is_initialized(self) -> bool:
        return self.connected

    def init(self, **_: object) -> None:
        if self._init is not None:
            raise self._init
        self.connected = True

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def put(self, _: object) -> None:
        if self._put is not None:
            raise self._put

    def shutdown(self) -> None:
        self.connected = False


MISMATCH = RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.11.2\n")
REFUSED = [
    (
        Ray(init=MISMATCH),
        None,
        r"cluster auto: it runs another version .* Ray: 2\.9\.0 .*; install the same everywhere",
    ),
    (
        Ray(init=ConnectionError("no\nanswer")),
        None,
        r"cluster auto: it cannot be reached \(ConnectionError: no\); start",
    ),
    (Ray(), 3, r"workers 3: the cluster has 2 CPUs; lower it"),
    (Ray(put=FullError()), None, r"cluster auto: there is no room for the weights .*; start its nodes with a larger"),
]


@pytest.mark.parametrize(("ray", "workers", "words"), REFUSED)
def test_a_cluster_that_cannot_serve_is_one_line(ray, workers, words, monkeypatch):
    monkeypatch.setattr(_cluster, "_ray", lambda _: ray)
    with pytest.raises(DataError, match=words) as raised:
        Cluster("auto", lambda _: print, workers)
    assert "\n" not in str(raised.value)
    assert not ray.connected


@pytest.mark.parametrize("address", ["kitchen", "ray://kitchen", "kitchen:port", ":6379"])
def test_an_address_that_is_none_is_told_how_it_reads(address, monkeypatch):
    monkeypatch.setattr(_cluster, "_ray", lambda _: Ray())
    words = f"cluster {address}: an address reads ray://HOST:10001, HOST:6379 or auto; write it so"
    with pytest.raises(DataError, match=f"^{words}$"):
        Cluster(address, lambda _: print)


def test_relative_paths_mean_on_a_node_what_they_mean_to_the_driver(tmp_path, monkeypatch):
    (tmp_path / "name.txt").write_text("here")
    monkeypatch.chdir("/")
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda opener: opener))
    monkeypatch.setattr(_cluster, "_OPEN", {})

    def asked(run: str, folder: Path) -> object:
        opener = [lambda _threads: lambda name: Path(name).read_text()]
        return _cluster._evaluate(run, hwnas.__version__, str(folder), opener, "name.txt")

    assert asked("one", tmp_path) == Done("here")
    assert asked("two", tmp_path / "gone") == Done("here")  # a node that lacks it stays where it is


class Lost(Ray):
    """Begins a cluster of this machine, as Ray does, if it is asked for anything once the connection is lost."""

    exceptions = SimpleNamespace(RaySystemError=FullError)

    def remote(self, **_: object) -> Callable[[object], SimpleNamespace]:
        return lambda _: SimpleNamespace(remote=lambda *_: object())

    def wait(self, *_: object, **__: object) -> Any:
        self.connected = False
        raise ConnectionError("Client is shutting down.")

    def cancel(self, *_: object, **__: object) -> None:
        self.connected = True


def test_a_cluster_that_is_lost_is_one_line_and_begins_no_other(monkeypatch):
    ray = Lost()
    monkeypatch.setattr(_cluster, "_ray", lambda _: ray)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    words = r"cluster auto: the connection is lost \(ConnectionError: Client is shutting down\.\); run the same command"
    with pytest.raises(DataError, match=words), Cluster("auto", lambda _: print) as cluster:
        list(cluster.in_order([1, 2, 3]))
    assert not ray.connected


class Foreign(Lost):
    """Its nodes lack a package, which Ray tells by an error around theirs, coloured."""

    class RayError(Exception):
        cause = ModuleNotFoundError("No module named 'hwnas'")

    exceptions = SimpleNamespace(RayError=RayError, RaySystemError=FullError)

    def wait(self, *tasks: object, **_: object) -> Any:
        return tasks[0], []

    def get(self, _: object) -> None:
        raise self.RayError("\x1b[36mray::_evaluate()\x1b[39m (pid=7)")


def test_what_a_node_raises_is_told_and_not_rays_words_around_it(monkeypatch):
    monkeypatch.setattr(_cluster, "_ray", lambda _: Foreign())
    with Cluster("auto", lambda _: print) as cluster:
        (outcome,) = cluster.in_order([1])
    assert outcome == Failed("a node cannot evaluate (ModuleNotFoundError: No module named 'hwnas')")
