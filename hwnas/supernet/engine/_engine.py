"""Engine: how a subnet is re-calibrated and run, and which one suits this machine."""

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
        device: where it wants its batches; it takes them from the CPU too.
    """

    device: torch.device

    @property
    def name(self) -> str:
        """Its name in :data:`ENGINES`; measured accuracies depend on the engine in the last digits."""

    def recalibrate(self, subnet: Subnet, batches: Iterable[Inputs]) -> int:
        """As :func:`hwnas.supernet.recalibrate`: new statistics, and how many images they are of."""

    def runner(self, subnet: Subnet, calibration: Batches | None = None) -> Callable[[Inputs], Tensor]:
        """The subnet as a function: a batch to its logits ``(n, classes)``, in fp32 on the CPU.

        Args:
            subnet: with its statistics; its layers may have precisions of their own.
            calibration: shows integers the ranges of activations.
        """


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "onnxruntime": OnnxEngine,
    "torch": TorchEngine,
    "torch-bf16": lambda: TorchEngine(torch.bfloat16),
}
"""By name. bf16 needs a GPU, or a CPU, that computes in it; batch norms are re-calibrated in fp32 all the same."""


def get_engine(name: str | None = None) -> Engine:
    """An engine by name; None for the one that suits: torch where it has a GPU, or else onnxruntime.

    Raises:
        UnknownNameError: there is none of that name.
    """
    name = name or ("torch" if torch.cuda.is_available() else "onnxruntime")
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    return ENGINES[name]()
