"""onnxruntime sessions of networks, plain and with node times."""

# ruff: noqa: PLC0415 (onnxruntime takes a while to import)

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hwnas.errors import DeviceError
from hwnas.graph import Network, build_model, in_precision
from hwnas.latency.timing._loop import BoundSession, best_clock, node_times, preload
from hwnas.latency.timing._timer import Clock, Session

if TYPE_CHECKING:
    from hwnas.latency.device._device import Device

_HOST = "CPUExecutionProvider"

NodeTimes = list[tuple[str, float]]
"""``(node name, microseconds)`` in the order of execution, of one run."""


class ProfiledSession(Session, Protocol):
    """A session that also records the time of every node, which slows it down."""

    def finish(self) -> list[NodeTimes]:
        """End the session; the node times of all its runs in order."""


class Runtime(Protocol):
    """What executes networks: onnxruntime, or a fake in tests."""

    @property
    def clock(self) -> Clock:
        """What its sessions are timed with."""

    def session(self, network: Network) -> Session: ...

    def profiled(self, network: Network) -> ProfiledSession: ...

    def elsewhere(self, network: Network) -> dict[str, int]:
        """Operators of a network that another provider runs than the device's, and how many nodes of each.

        onnxruntime moves what a provider lacks to the CPU, and says nothing.
        """


class OnnxRuntime:
    """onnxruntime with a device's provider, options, threads and batch."""

    def __init__(self, device: Device) -> None:
        self.device = device
        preload(device.memory)
        self.clock = best_clock(device.threads, device.provider)
        self._last: tuple[Network, bytes] | None = None

    def session(self, network: Network) -> Session:
        return _OrtSession(self._create(network, self._options()), self._feed(network), self.device)

    def profiled(self, network: Network) -> _OrtProfiledSession:
        folder = tempfile.TemporaryDirectory(prefix="hwnas-")
        options = self._options()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder.name) / "nodes")
        return _OrtProfiledSession(self._create(network, options), self._feed(network), self.device, folder)

    def elsewhere(self, network: Network) -> dict[str, int]:
        if self.device.provider == _HOST:
            return {}
        session = self.profiled(network)
        session.run()
        return strays(session.events(), self.device.provider)

    def model(self, network: Network) -> bytes:
        """The ONNX model of a network, in the device's precision; the last one is kept, for a second session of it."""
        if self._last is None or self._last[0] is not network:
            model = build_model(network, batch=self.device.batch)
            self._last = network, in_precision(model, self.device.precision).SerializeToString()
        return self._last[1]

    def _options(self) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = self.device.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        for key, value in self.device.session_config.items():
            options.add_session_config_entry(key, value)
        return options

    def _create(self, network: Network, options: Any) -> Any:
        import onnxruntime as ort

        model = self.model(network)
        providers: list[Any] = [(self.device.provider, dict(self.device.options))]
        if self.device.provider != _HOST:
            providers.append(_HOST)
        try:
            session = ort.InferenceSession(model, options, providers=providers)
        except Exception as error:  # onnxruntime raises RuntimeError, its own and pybind's
            raise _failed(self.device, error) from error
        if self.device.provider not in session.get_providers():
            raise DeviceError(
                f"device {self.device.id}",
                f"onnxruntime could not start {self.device.provider} and fell back to the CPU",
                "check its driver and libraries; see hwnas devices",
            )
        return session

    def _feed(self, network: Network) -> dict[str, Any]:
        shape = (self.device.batch, *network[0][1].input_shape)
        return {"input": np.random.default_rng(0).standard_normal(shape, dtype=np.float32)}


class _OrtSession(BoundSession):
    """Tells in one line what a device cannot run."""

    def __init__(self, session: Any, feed: dict[str, Any], device: Device) -> None:
        self._device = device
        try:
            super().__init__(session, feed, device.memory)
        except Exception as error:  # a full GPU
            raise _failed(device, error) from error

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:
            raise _failed(self._device, error) from error


class _OrtProfiledSession(_OrtSession):
    def __init__(
        self, session: Any, feed: dict[str, Any], device: Device, folder: tempfile.TemporaryDirectory[str]
    ) -> None:
        super().__init__(session, feed, device)
        self._folder = folder

    def events(self) -> list[dict[str, Any]]:
        """End the session; everything its profile recorded."""
        with self._folder:
            path = Path(self.session.end_profiling())
            events: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
            return events

    def finish(self) -> list[NodeTimes]:
        return node_times(self.events())


def strays(events: list[dict[str, Any]], provider: str) -> dict[str, int]:
    """Operators that another provider ran, with their numbers of nodes, by an onnxruntime profile."""
    nodes = {
        event["name"]: str(event["args"].get("op_name"))
        for event in events
        if event.get("cat") == "Node" and event.get("args", {}).get("provider", provider) != provider
    }
    return dict(Counter(nodes.values()).most_common())


def _failed(device: Device, error: Exception) -> DeviceError:
    """What onnxruntime could not do, with the operator where it names one."""
    text = " ".join(str(error).split())
    node = _NODE.search(text)
    if node is None:
        return DeviceError(f"device {device.id}", f"onnxruntime fails: {text[:_LONGEST]}", "see hwnas devices")
    operator, name = node.groups()
    what = f"{device.provider} fails on {operator} ({name}): {text[node.end() :].strip(' .:')[:_LONGEST] or text[:_LONGEST]}"
    return DeviceError(f"device {device.id}", what, "update onnxruntime, or choose another --device")


_NODE = re.compile(r"(?:running|implementation for) (\w+)(?:\(\d+\))? node(?: with name|\. ?Name:) ?'([^']*)'")
"""How onnxruntime names a node that failed, when it is made and when it runs."""

_LONGEST = 200
"""Characters of a reason; onnxruntime adds stack traces."""
