"""SWAP: the number of on-off patterns among an untrained network's activations.

Peng et al. 2024, "SWAP-NAS: sample-wise activation patterns for ultra-fast NAS" (arXiv:2403.04161).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hwnas.space import Network, Op
from hwnas.space.ops import Activation
from hwnas.supernet._execute import forward
from hwnas.supernet.zero_cost._untrained import noise, untrained_weights

SAMPLES = 32
"""Number of inputs, each of which is one bit of a pattern."""


def swap(network: Network, seed: int) -> float:
    """The number of distinct patterns of activations over ``SAMPLES`` inputs of noise."""
    patterns: list[Tensor] = []
    # Products of these doubles are exact, and much faster than those of integers.
    bits = 2.0 ** torch.arange(SAMPLES, dtype=torch.float64)

    def watch(_name: str, op: Op, inputs: Sequence[Tensor], _output: Tensor) -> None:
        if isinstance(op, Activation):
            patterns.append(torch.unique(bits @ (inputs[0] > 0).flatten(1).double()))

    with torch.inference_mode():
        forward(network, untrained_weights(network, seed), noise(network, SAMPLES, seed), "train", watch=watch)
    return float(len(torch.unique(torch.cat(patterns)))) if patterns else 0.0
