"""Device: everything that determines how long a model takes, other than the model.

A latency table belongs to one device: provider, options, threads, batch size and hardware. The precision is a property of the
model, and of a table's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hwnas.errors import DeviceError, TableError, UnknownNameError
from hwnas.graph import PRECISIONS, precision_parts
from hwnas.latency.device import _hardware
from hwnas.latency.device._facts import memory_pages, usable_cores
from hwnas.latency.device._hardware import Hardware


@dataclass(frozen=True)
class Provider:
    """An execution provider of onnxruntime.

    Attributes:
        name: in onnxruntime.
        package: the package to install for it.
        node_times: whether its profile shows the time of each node. CUDA's profile has the times of launches, which
            dominate at batch 1; providers that compile whole graphs run them as one node.
        precisions: those that it has arithmetic for. CUDA and TensorRT run hwnas's int8 models in fp32 or not at all, and the
            CPU provider would compute fp16 in fp32, with casts around every node.
        threads: its option for the number of threads, if it has its own threads, which onnxruntime's setting does not reach.
        fixed_sizes: whether it requires networks with fixed sizes.
    """

    name: str
    package: str
    node_times: bool = False
    precisions: tuple[str, ...] = ("fp32",)
    threads: str = ""
    fixed_sizes: bool = False


_INTEGER, _HALF = ("fp32", "int8"), ("fp32", "fp16")

PROVIDERS: dict[str, Provider] = {
    "cpu": Provider("CPUExecutionProvider", "onnxruntime", node_times=True, precisions=(*_INTEGER, "int4")),
    "cuda": Provider("CUDAExecutionProvider", "onnxruntime-gpu", node_times=True, precisions=_HALF),
    "tensorrt": Provider("TensorrtExecutionProvider", "onnxruntime-gpu and TensorRT", precisions=_HALF),
    "openvino": Provider(
        "OpenVINOExecutionProvider", "onnxruntime-openvino", precisions=_INTEGER, threads="num_of_threads"
    ),
    "xnnpack": Provider(
        "XnnpackExecutionProvider",
        "an onnxruntime built with XNNPACK",
        node_times=True,
        threads="intra_op_num_threads",
    ),
    "coreml": Provider("CoreMLExecutionProvider", "onnxruntime on macOS", precisions=_HALF, fixed_sizes=True),
    "directml": Provider("DmlExecutionProvider", "onnxruntime-directml", precisions=_HALF),
    "qnn": Provider("QNNExecutionProvider", "onnxruntime-qnn", precisions=(*_HALF, "int8"), fixed_sizes=True),
    "migraphx": Provider("MIGraphXExecutionProvider", "onnxruntime-migraphx", precisions=_HALF),
}
"""Short names of onnxruntime's execution providers."""

_NVIDIA = ("cuda", "tensorrt")

_SPINNING: dict[str, dict[str, str]] = {
    "stop": {"session.force_spinning_stop": "1"},
    "on": {},
    "off": {"session.intra_op.allow_spinning": "0"},
}
"""onnxruntime's settings for idle worker threads. If they spin, times of several threads are bimodal; not if spinning stops
between runs."""


@dataclass(frozen=True)
class Device:
    """The conditions under which networks are timed.

    Attributes:
        name: as typed: ``cpu``, ``cuda:1``; or the name of an imported table's device.
        provider: onnxruntime's name of the execution provider; empty for imported tables.
        options: provider options.
        threads: number of threads; 0 if unknown.
        batch: images per run.
        spinning: of idle threads: ``on``, ``off``, or ``stop`` between runs.
        pages: of memory: ``usual``, or ``huge`` if the process asks for them (`memory_pages`).
        hardware: the processor.
        runtime: name and version of the runtime.
    """

    name: str
    provider: str
    options: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    batch: int = 1
    spinning: str = "stop"
    pages: str = "usual"
    hardware: Hardware = field(default_factory=lambda: Hardware("unknown"))
    runtime: str = ""

    @property
    def id(self) -> str:
        """Folder name of its tables: ``amd-epyc-avx512-cpu-t1-b1``; the bare name if imported."""
        if not self.provider:
            return self.name
        words = [self.hardware.slug, self.name.replace(":", "")]
        if self.name.partition(":")[0] not in _NVIDIA:
            words.append(f"t{self.threads}")
        words.append(f"b{self.batch}")
        if self.spinning != "stop":
            words.append(f"spin-{self.spinning}")
        if self.pages != "usual":
            words.append(f"{self.pages}-pages")
        return "-".join(words).lower()

    def label(self, precision: str) -> str:
        """The id, followed by the precision unless that is fp32."""
        return self.id if precision == "fp32" else f"{self.id} ({precision})"

    @property
    def session_config(self) -> dict[str, str]:
        """onnxruntime session options beyond threads."""
        return _SPINNING[self.spinning] if self.threads > 1 else {}

    @property
    def known_provider(self) -> Provider:
        """The provider of a device that is not imported."""
        return PROVIDERS[self.name.partition(":")[0]]

    @property
    def memory(self) -> tuple[str, int]:
        """onnxruntime's kind and index of the memory for inputs and outputs."""
        kind, _, index = self.name.partition(":")
        return ("cuda", int(index or 0)) if kind in _NVIDIA else ("cpu", 0)

    def differences(self, other: Device) -> list[str]:
        """Differences in words that make times on the two devices incomparable; software versions do not count."""
        found = []
        for what in ("provider", "options", "threads", "batch", "spinning", "pages"):
            mine, theirs = getattr(self, what), getattr(other, what)
            if mine != theirs:
                found.append(f"{what} {mine}, here {theirs}")
        for what in ("name", "model", "features", "system"):
            mine, theirs = getattr(self.hardware, what), getattr(other.hardware, what)
            if mine != theirs:
                found.append(f"hardware {what} {_words(mine)}, here {_words(theirs)}")
        return found

    def to_json(self) -> dict[str, Any]:
        """JSON values for :meth:`from_json`; usual pages are left out, as in files of earlier versions."""
        values = asdict(self) | {"options": dict(self.options)}
        return {name: value for name, value in values.items() if (name, value) != ("pages", "usual")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Device:
        """The device; the precision in files of earlier versions is ignored.

        Raises:
            TableError: a field is missing or has the wrong type.
        """
        try:
            data = {name: value for name, value in data.items() if name != "precision"}
            hardware = dict(data["hardware"])
            hardware["features"] = tuple(str(f) for f in hardware.get("features", ()))
            device = cls(**{**data, "hardware": Hardware(**hardware), "options": dict(data["options"])})
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise TableError("its device", f"it is not described as expected ({error})", "profile again") from error
        texts = [device.name, device.provider, device.spinning, device.pages, device.runtime]
        texts += [device.hardware.name, device.hardware.model, device.hardware.system]
        if not all(isinstance(t, str) for t in texts) or not device.name or device.spinning not in _SPINNING:
            raise TableError("its device", "a name is missing or no text", "profile again")
        if not all(type(n) is int and n >= 0 for n in (device.threads, device.batch)):
            raise TableError("its device", "threads and batch are whole numbers", "profile again")
        return device


def _words(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def available_providers() -> dict[str, bool]:
    """For each known provider, by short name, whether the installed onnxruntime has it."""
    import onnxruntime as ort

    installed = set(ort.get_available_providers())
    return {short: provider.name in installed for short, provider in PROVIDERS.items()}


def is_provider(name: str) -> bool:
    """Whether a device is named by its provider, as those of this machine are: ``cpu``, ``cuda:1``."""
    return name.partition(":")[0] in PROVIDERS


def get_device(name: str = "cpu", *, threads: int = 1, batch: int = 1, spinning: str = "stop") -> Device:
    """A device of this machine.

    Args:
        name: short name of a provider, and the device's index if there are several: ``cuda:1``.
        threads: number of threads that run a network.
        batch: images per run; latency is per run.
        spinning: ``stop``, ``on`` or ``off``; see `Device`.

    Raises:
        UnknownNameError: there is no such provider; suggests the nearest.
        DeviceError: the provider is not installed, or an option is impossible.
    """
    import onnxruntime as ort

    kind, index = _installed(name)
    cores = usable_cores()
    if not 1 <= threads <= cores:
        remedy = f"use 1 to {cores}" if cores > 1 else "use 1"
        raise DeviceError(f"{threads} threads", f"cores that this process may use: {cores}", remedy)
    if batch < 1:
        raise DeviceError(f"batch {batch}", "a run takes at least one image", "use 1 or more")
    if spinning not in _SPINNING:
        raise UnknownNameError("spinning setting", spinning, _SPINNING)
    return Device(
        name=name,
        provider=PROVIDERS[kind].name,
        options=provider_options(kind, index, threads),
        threads=threads,
        batch=batch,
        spinning=spinning,
        pages=memory_pages() if kind == "cpu" else "usual",
        hardware=_hardware.nvidia_gpu(int(index or 0)) if kind in _NVIDIA else _hardware.cpu(),
        runtime=f"onnxruntime {ort.__version__}",
    )


def _installed(name: str) -> tuple[str, str]:
    """The provider's short name, and the device's index or an empty string.

    Raises:
        UnknownNameError, DeviceError: as `get_device`.
    """
    import onnxruntime as ort

    kind, colon, index = name.partition(":")
    if kind not in PROVIDERS:
        raise UnknownNameError("device", name, PROVIDERS)
    provider = PROVIDERS[kind]
    if colon and not index.isdigit():
        rule = "what follows the colon is the number of the device"
        raise DeviceError(f"device {name!r}", rule, f"write {kind if kind == 'cpu' else kind + ':0'}")
    if provider.name not in ort.get_available_providers():
        rule = f"the installed onnxruntime {ort.__version__} has no {provider.name}"
        raise DeviceError(f"device {name!r}", rule, f"install {provider.package}")
    if kind == "cpu" and colon:
        raise DeviceError(f"device {name!r}", "a machine's cores are one device, without a number", "write cpu")
    return kind, index


def provider_options(kind: str, index: str, threads: int) -> dict[str, str]:
    """onnxruntime's options of a provider, by its short name, a device's index (may be empty) and threads."""
    options = {"device_id": index} if index else {}
    if PROVIDERS[kind].threads:
        options[PROVIDERS[kind].threads] = str(threads)
    return options


def check_precision(device: Device, precision: str) -> None:
    """Refuse a precision that a device has no arithmetic for.

    Raises:
        UnknownNameError: there is no such precision.
        DeviceError: the device's provider does not compute in it.
    """
    provider = device.known_provider
    for part in precision_parts(precision):
        if part not in PRECISIONS:
            raise UnknownNameError("precision", part, PRECISIONS)
        if part not in provider.precisions:
            value = f"precision {part} on device {device.name.partition(':')[0]!r}"
            rule = f"{provider.name} computes in {' and '.join(provider.precisions)}"
            raise DeviceError(value, rule, "choose one of them, or another --device")
