"""onnxruntime sessions of networks, plain and with node times."""

# ruff: noqa: PLC0415 (onnxruntime takes a while to import)

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hwnas.errors import DeviceError
from hwnas.graph import Network, build_model
from hwnas.latency._loop import BoundSession, best_clock, node_times
from hwnas.latency._timer import Clock, Session

if TYPE_CHECKING:
    from hwnas.latency._device import Device

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


class OnnxRuntime:
    """onnxruntime with a device's provider, options, threads and batch."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.clock = best_clock(device.threads, on_host=device.provider == "CPUExecutionProvider")

    def session(self, network: Network) -> Session:
        return BoundSession(self._create(network, self._options()), self._feed(network), self.device.memory)

    def profiled(self, network: Network) -> ProfiledSession:
        folder = tempfile.TemporaryDirectory(prefix="hwnas-")
        options = self._options()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder.name) / "nodes")
        return _OrtProfiledSession(self._create(network, options), self._feed(network), self.device, folder)

    def model(self, network: Network) -> bytes:
        """The ONNX model of a network."""
        content: bytes = build_model(network, batch=self.device.batch).SerializeToString()
        return content

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
        if self.device.provider != "CPUExecutionProvider":
            providers.append("CPUExecutionProvider")
        try:
            session = ort.InferenceSession(model, options, providers=providers)
        except Exception as error:  # onnxruntime raises RuntimeError, its own and pybind's
            reason = str(error).splitlines()[0]
            raise DeviceError(
                f"device {self.device.id}", f"onnxruntime fails: {reason}", "see hwnas devices"
            ) from error
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


class _OrtProfiledSession(BoundSession):
    def __init__(
        self, session: Any, feed: dict[str, Any], device: Device, folder: tempfile.TemporaryDirectory[str]
    ) -> None:
        super().__init__(session, feed, device.memory)
        self._folder = folder

    def finish(self) -> list[NodeTimes]:
        with self._folder:
            path = Path(self.session.end_profiling())
            return node_times(json.loads(path.read_text(encoding="utf-8")))
