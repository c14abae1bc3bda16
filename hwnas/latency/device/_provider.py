"""Execution providers of onnxruntime, and how devices are named after them."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.errors import DeviceError, UnknownNameError


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

    def options(self, index: str, threads: int) -> dict[str, str]:
        """onnxruntime's options for a device's index, which may be empty, and a number of threads."""
        options = {"device_id": index} if index else {}
        if self.threads:
            options[self.threads] = str(threads)
        return options


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

NVIDIA = ("cuda", "tensorrt")
"""Providers of GPUs whose memory is CUDA's."""


def available_providers() -> dict[str, bool]:
    """For each known provider, by short name, whether the installed onnxruntime has it."""
    import onnxruntime as ort

    installed = set(ort.get_available_providers())
    return {short: provider.name in installed for short, provider in PROVIDERS.items()}


def is_provider(name: str) -> bool:
    """Whether a device is named by its provider, as those of this machine are: ``cpu``, ``cuda:1``."""
    return name.partition(":")[0] in PROVIDERS


def provider_of(name: str) -> tuple[Provider, str]:
    """The provider that a device is named after, and the device's index or an empty string.

    Raises:
        UnknownNameError: there is no such provider; suggests the nearest.
        DeviceError: what follows the colon is no index, or the device has none.
    """
    kind, colon, index = name.partition(":")
    if kind not in PROVIDERS:
        raise UnknownNameError("device", name, PROVIDERS)
    if colon and not index.isdigit():
        rule = "what follows the colon is the number of the device"
        raise DeviceError(f"device {name!r}", rule, f"write {kind if kind == 'cpu' else kind + ':0'}")
    if kind == "cpu" and colon:
        raise DeviceError(f"device {name!r}", "a machine's cores are one device, without a number", "write cpu")
    return PROVIDERS[kind], index
