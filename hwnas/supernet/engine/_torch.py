"""The engine of GPUs: eager torch, which also runs on CPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.supernet._agreement import Batches
from hwnas.supernet._execute import on
from hwnas.supernet._subnet import Subnet, recalibrate
from hwnas.task import Inputs


class TorchEngine:
    """Runs subnets in eager torch. Weights, and with them activations, are in channels-last layout, the fastest one.

    Args:
        precision: of arithmetic, where autocast considers it safe. Statistics are always gathered in fp32.
    """

    def __init__(self, precision: torch.dtype = torch.float32) -> None:
        self.precision = precision
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def name(self) -> str:
        """``torch``, or ``torch-bf16``."""
        return "torch-bf16" if self.precision == torch.bfloat16 else "torch"

    def recalibrate(self, subnet: Subnet, batches: Iterable[Inputs]) -> int:
        """As :func:`hwnas.supernet.recalibrate`."""
        return recalibrate(self._placed(subnet), batches)

    def runner(self, subnet: Subnet, calibration: Batches | None = None) -> Callable[[Inputs], Tensor]:  # noqa: ARG002
        """As :meth:`Engine.runner`.

        Raises:
            SupernetError: a layer has another precision than fp32.
        """
        if any(layer.precision not in (None, "fp32") for _, layer in subnet.network):
            rule = "it computes every layer in fp32"
            raise SupernetError(f"engine {self.name}", rule, "pass --engine onnxruntime, which runs the file's graph")
        module, lower = self._placed(subnet), self.precision != torch.float32

        def logits(batch: Inputs) -> Tensor:
            with torch.inference_mode(), torch.autocast(self.device.type, self.precision, enabled=lower):
                found: Tensor = module(on(self.device, batch))
                return found.float().cpu()

        return logits

    def _placed(self, subnet: Subnet) -> Subnet:
        subnet.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload] # its stubs lack it
        return subnet
