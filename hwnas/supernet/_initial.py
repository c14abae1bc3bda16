"""Initial weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def initial_tensor(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """The initial value of a tensor: He-normal weights (He et al. 2015, arXiv:1502.01852), zero biases, neutral norms."""
    if name.endswith("running_var") or (name.endswith(".weight") and len(shape) == 1):
        return torch.ones(shape)
    if name.endswith(".weight"):
        return torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
    return torch.zeros(shape)
