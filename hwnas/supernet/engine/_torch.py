"""torch, on a GPU where it has one."""

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
    """Eager torch. Weights lie in memory channels last, in which convolutions are fastest, and make activations do so.

    Args:
        precision: of arithmetic, where autocast takes it to be safe. Statistics are gathered in fp32 whatever it is.
    """

    def __init__(self, precision: torch.dtype = torch.float32) -> None:
        self.precision = precision
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def name(self) -> str:
        """``torch``, or with its precision."""
        return "torch-bf16" if self.precision == torch.bfloat16 else "torch"

    def recalibrate(self, subnet: Subnet, batches: Iterable[Inputs]) -> int:
        """As :func:`hwnas.supernet.recalibrate`."""
        return recalibrate(self._placed(subnet), batches)

    def runner(self, subnet: Subnet, calibration: Batches | None = None) -> Callable[[Inputs], Tensor]:  # noqa: ARG002
        """As :meth:`Engine.runner`.

        Raises:
            SupernetError: layers have other precisions.
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
