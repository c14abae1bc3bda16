"""SWAP: how many patterns of on and off there are among an untrained network's activations.

Peng et al. 2024, "SWAP-NAS: sample-wise activation patterns for ultra-fast NAS" (arXiv:2403.04161).
"""

from __future__ import annotations

import torch
from torch import Tensor

from hwnas.space import Network, Op
from hwnas.space.ops import Activation
from hwnas.supernet._execute import forward
from hwnas.supernet.zero_cost._untrained import noise, untrained_weights

SAMPLES = 32
"""Inputs, one bit of a pattern each."""


def swap(network: Network, seed: int) -> float:
    """How many distinct patterns the activations show over ``SAMPLES`` inputs of noise."""
    patterns: list[Tensor] = []
    bits = 2.0 ** torch.arange(
        SAMPLES, dtype=torch.float64
    )  # a product of doubles is exact here, and far faster than of integers

    def watch(op: Op, x: Tensor) -> None:
        if isinstance(op, Activation):
            patterns.append(torch.unique(bits @ (x > 0).flatten(1).double()))

    with torch.inference_mode():
        forward(network, untrained_weights(network, seed), noise(network, SAMPLES, seed), "train", watch=watch)
    return float(len(torch.unique(torch.cat(patterns)))) if patterns else 0.0
