"""The protocol of engines, which re-calibrate and run subnets, and the choice of one for this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from hwnas.errors import UnknownNameError
from hwnas.supernet._agreement import Batches
from hwnas.supernet._subnet import Subnet
from hwnas.supernet.engine._onnxruntime import OnnxEngine
from hwnas.supernet.engine._torch import TorchEngine
from hwnas.task import Inputs


class Engine(Protocol):
    """Evaluates subnets.

    Attributes:
        device: where batches should be; those on the CPU are accepted too.
    """

    device: torch.device

    @property
    def name(self) -> str:
        """The name in :data:`ENGINES`. The last digits of accuracies depend on the engine."""

    def recalibrate(self, subnet: Subnet, batches: Iterable[Inputs]) -> int:
        """Replace the subnet's statistics, and return the number of images; see :func:`hwnas.supernet.recalibrate`."""

    def runner(self, subnet: Subnet, calibration: Batches | None = None) -> Callable[[Inputs], Tensor]:
        """A function that maps a batch to the subnet's logits ``(n, classes)``, in fp32 on the CPU.

        Args:
            subnet: with its statistics; its layers may have precisions of their own.
            calibration: batches from which int8 layers get the ranges of activations.
        """


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "onnxruntime": OnnxEngine,
    "torch": TorchEngine,
    "torch-bf16": lambda: TorchEngine(torch.bfloat16),
}
"""Engines by name. bf16 needs a GPU or CPU that computes in it; batch norms are still re-calibrated in fp32."""


def get_engine(name: str | None = None) -> Engine:
    """An engine by name; None takes torch if there is a GPU, and onnxruntime otherwise.

    Raises:
        UnknownNameError: there is no such engine.
    """
    name = name or ("torch" if torch.cuda.is_available() else "onnxruntime")
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    return ENGINES[name]()
