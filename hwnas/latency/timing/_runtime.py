"""onnxruntime sessions of models, with and without node times."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hwnas.errors import DeviceError
from hwnas.graph import Model
from hwnas.latency.timing._loop import (
    HOST,
    BoundSession,
    loaded_session,
    node_times,
    preload,
    session_options,
    waiting_clock,
)

if TYPE_CHECKING:
    from hwnas.latency.device._device import Device

NodeTimes = list[tuple[str, float]]
"""``(node name, microseconds)`` of one run, in the order of execution."""

Clock = Callable[[], int]
"""Nanoseconds of a monotonic clock."""


class Session(Protocol):
    """A model ready to run."""

    def run(self) -> None:
        """One inference, finished when it returns."""


class ProfiledSession(Session, Protocol):
    """A session that also records the time of every node, which slows it down."""

    def finish(self) -> list[NodeTimes]:
        """End the session; the node times of all its runs in order."""


class Runtime(Protocol):
    """Executes models: onnxruntime, or a fake in tests. It knows nothing about spaces and layers."""

    @property
    def clock(self) -> Clock:
        """The wall clock that times its sessions."""

    @property
    def waiting(self) -> Clock:
        """Nanoseconds that its sessions have waited for a core so far."""

    def session(self, model: Model) -> Session:
        """A loaded model with its inputs: each ``run`` is one inference."""

    def profiled(self, model: Model) -> ProfiledSession:
        """A loaded model that also records the time of each node."""

    def elsewhere(self, model: Model) -> dict[str, int]:
        """Operators of a model that run on another provider than the device's, and the number of nodes of each.

        onnxruntime silently moves operators that a provider lacks to the CPU.
        """


class OnnxRuntime:
    """onnxruntime with a device's provider, options and threads."""

    clock = staticmethod(time.perf_counter_ns)

    def __init__(self, device: Device) -> None:
        self.device = device
        preload(device.memory)
        self.waiting = waiting_clock(device.threads, device.provider)

    def session(self, model: Model) -> Session:
        """A loaded model with its inputs. Raises DeviceError: the provider cannot run it."""
        return _OrtSession(self._create(model, self._options()), model, self.device)

    def profiled(self, model: Model) -> _OrtProfiledSession:
        """The same with onnxruntime's profiler on. Raises DeviceError: the provider cannot run it."""
        folder = tempfile.TemporaryDirectory(prefix="hwnas-")
        options = self._options()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder.name) / "nodes")
        return _OrtProfiledSession(self._create(model, options), model, self.device, folder)

    def elsewhere(self, model: Model) -> dict[str, int]:
        """As :meth:`Runtime.elsewhere`: runs the model once, unless the device is the CPU itself."""
        if self.device.provider == HOST:
            return {}
        session = self.profiled(model)
        session.run()
        return strays(session.events(), self.device.provider)

    def _options(self) -> Any:
        return session_options(self.device.threads, self.device.session_config)

    def _create(self, model: Model, options: Any) -> Any:
        try:
            session = loaded_session(model.content, options, self.device.provider, dict(self.device.options))
        except Exception as error:  # onnxruntime raises RuntimeError, and its own exceptions
            raise _failed(self.device, error) from error
        if self.device.provider not in session.get_providers():
            raise DeviceError(
                f"device {self.device.id}",
                f"onnxruntime could not start {self.device.provider} and fell back to the CPU",
                "check its driver and libraries; see hwnas devices",
            )
        return session


class _OrtSession(BoundSession):
    """A bound session whose failures are one-line DeviceErrors."""

    def __init__(self, session: Any, model: Model, device: Device) -> None:
        self._device = device
        try:
            super().__init__(session, model.feed(), device.memory)
        except Exception as error:  # a full GPU
            raise _failed(device, error) from error

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:
            raise _failed(self._device, error) from error


class _OrtProfiledSession(_OrtSession):
    def __init__(self, session: Any, model: Model, device: Device, folder: tempfile.TemporaryDirectory[str]) -> None:
        super().__init__(session, model, device)
        self._folder = folder

    def events(self) -> list[dict[str, Any]]:
        """End the session and return the events that the profiler recorded."""
        with self._folder:
            path = Path(self.session.end_profiling())
            events: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
            return events

    def finish(self) -> list[NodeTimes]:
        return node_times(self.events())


def strays(events: list[dict[str, Any]], provider: str) -> dict[str, int]:
    """Operators that another provider ran, and the number of nodes of each, from an onnxruntime profile."""
    nodes = {
        event["name"]: str(event["args"].get("op_name"))
        for event in events
        if event.get("cat") == "Node" and event.get("args", {}).get("provider", provider) != provider
    }
    return dict(Counter(nodes.values()).most_common())


def _failed(device: Device, error: Exception) -> DeviceError:
    """An onnxruntime failure in one line, with the operator if onnxruntime names one."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "allocate memory" in text or "bad_alloc" in text:
        remedy = "take a smaller --batch, or smaller inputs by --fix"
        return DeviceError(f"device {device.id}", f"its memory is too small: {text[:_LONGEST]}", remedy)
    node = _NODE.search(text)
    if node is None:
        return DeviceError(f"device {device.id}", f"onnxruntime fails: {text[:_LONGEST]}", "see hwnas devices")
    operator, name = node.groups()
    what = f"{device.provider} fails on {operator} ({name}): {text[node.end() :].strip(' .:')[:_LONGEST] or text[:_LONGEST]}"
    return DeviceError(f"device {device.id}", what, "update onnxruntime, or choose another --device")


_NODE = re.compile(r"(?:running|implementation for) (\w+)(?:\(\d+\))? node(?: with name|\. ?Name:) ?'([^']*)'")
"""onnxruntime's wording for a node that failed, while a session is created and while it runs."""

_LONGEST = 200
"""Characters of a reason that are shown; onnxruntime adds stack traces."""
