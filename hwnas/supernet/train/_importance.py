"""Importances of heads, neurons and channels, which are sorted by them before subnets that drop some are trained."""

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
"""Batches of training data over which importances are added up: some hundred samples."""


def importance(
    supernet: Supernet, row: NDArray[Any], batches: Iterable[tuple[Inputs, Tensor]], loss_of: Loss
) -> dict[Units, Tensor]:
    """``(units,)`` importances for each of ``supernet.units()``, added up over the batches.

    Args:
        supernet: not changed.
        row: the largest subnet.
        batches: inputs and labels ``(n,)``.
        loss_of: the loss of logits and labels.
    """
    totals = {units: torch.zeros(()) for units in supernet.units()}
    names = list(dict.fromkeys(f"{reader}.weight" for units in totals for reader in units.readers))
    weights = {name: supernet.tensors[name].detach().clone().requires_grad_() for name in names}
    other = supernet.alike({**supernet.tensors, **weights})
    for inputs, labels in batches:
        loss = loss_of(other.forward(row, inputs, "train"), labels)
        gradients = dict(zip(names, torch.autograd.grad(loss, list(weights.values())), strict=True))
        for units in supernet.units():
            read = [f"{reader}.weight" for reader in units.readers]
            found = [units.importance(weights[name].detach(), gradients[name]) for name in read]
            n = min(map(len, found))  # a reader may have the units several times side by side
            totals[units] = totals[units] + torch.stack([each.reshape(-1, n).sum(0) for each in found]).sum(0)
    return totals
