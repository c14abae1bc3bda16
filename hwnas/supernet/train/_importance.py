"""Sorting heads and neurons by importance before the subnets that drop some of them are trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.supernet._base import Supernet
from hwnas.supernet._units import Units
from hwnas.task import Inputs

Loss = Callable[[Tensor, Tensor], Tensor]

BATCHES = 16
"""Of training data that importance is averaged over: some hundred samples."""


def importance(
    supernet: Supernet, row: NDArray[Any], batches: Iterable[tuple[Inputs, Tensor]], loss_of: Loss
) -> dict[Units, Tensor]:
    """``(units,)`` importances for each of ``supernet.units()``, averaged over the batches, with the weights of the
    subnet ``row``.

    Args:
        supernet: its tensors stay as they are.
        row: the largest subnet.
        batches: inputs and labels ``(n,)``.
        loss_of: logits and labels.
    """
    readers = {units: f"{units.reader}.weight" for units in supernet.units()}
    totals = {units: torch.zeros(()) for units in readers}
    weights = [supernet.tensors[name].detach().clone().requires_grad_() for name in readers.values()]
    other = supernet.alike({**supernet.tensors, **dict(zip(readers.values(), weights, strict=True))})
    for inputs, labels in batches:
        loss = loss_of(other.forward(row, inputs, "train"), labels)
        gradients = torch.autograd.grad(loss, weights)
        for units, weight, gradient in zip(readers, weights, gradients, strict=True):
            totals[units] = totals[units] + units.importance(weight.detach(), gradient)
    return totals
