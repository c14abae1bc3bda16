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
from hwnas.latency.device._provider import NVIDIA, PROVIDERS, Provider, provider_of

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
        if self.name.partition(":")[0] not in NVIDIA:
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
        return ("cuda", int(index or 0)) if kind in NVIDIA else ("cpu", 0)

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

    provider, index = provider_of(name)
    if provider.name not in ort.get_available_providers():
        rule = f"the installed onnxruntime {ort.__version__} has no {provider.name}"
        raise DeviceError(f"device {name!r}", rule, f"install {provider.package}")
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
        provider=provider.name,
        options=provider.options(index, threads),
        threads=threads,
        batch=batch,
        spinning=spinning,
        pages=memory_pages() if name == "cpu" else "usual",
        hardware=_hardware.nvidia_gpu(int(index or 0)) if name.partition(":")[0] in NVIDIA else _hardware.cpu(),
        runtime=f"onnxruntime {ort.__version__}",
    )


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
