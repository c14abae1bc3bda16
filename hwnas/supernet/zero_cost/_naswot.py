"""NASWOT: how differently an untrained network's activations treat different inputs.

Mellor et al. 2021, "Neural architecture search without training" (arXiv:2006.04647).
"""

from __future__ import annotations

import torch
from torch import Tensor

from hwnas.space import Network, Op
from hwnas.space.ops import Activation
from hwnas.supernet._execute import forward
from hwnas.supernet.zero_cost._untrained import noise, untrained_weights

SAMPLES = 32
"""Inputs that are told apart; the score's order hardly depends on how many."""


def naswot(network: Network, seed: int) -> float:
    """Log-determinant of the kernel that counts, for each two inputs, the activations that are on or off for both.

    Inputs are noise, for there may be no data; an activation is on where its input is positive, whatever its kind. The
    kernel's diagonal has one added: a network without activations scores 0.
    """
    kernel = torch.eye(SAMPLES, dtype=torch.float64)

    def watch(op: Op, x: Tensor) -> None:
        if isinstance(op, Activation):
            on = (x > 0).flatten(1).float()
            kernel.add_(on @ on.T + (1 - on) @ (1 - on).T)

    with torch.inference_mode():
        forward(network, untrained_weights(network, seed), noise(network, SAMPLES, seed), "train", watch=watch)
    return float(torch.linalg.slogdet(kernel).logabsdet)
