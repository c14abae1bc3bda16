"""Random weights and inputs of a network before training."""

from __future__ import annotations

import torch
from torch import Tensor

from hwnas.space import Network, named_ops, network_inputs
from hwnas.supernet._initial import initial_tensor

MASK = 2
"""Integer inputs below this bound are masks, which are set to one."""


def untrained_weights(network: Network, seed: int) -> dict[str, Tensor]:
    """All tensors of a network before training, by ``"<slot>/<op>.<part>"``."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        f"{name}.{part}": shape
        for name, op in named_ops(network)
        for part, shape in {**op.weights, **op.buffers}.items()
    }
    return {name: initial_tensor(name, shape, generator) for name, shape in shapes.items()}


def noise(network: Network, n: int, seed: int) -> dict[str, Tensor]:
    """``n`` samples for a network's inputs: standard normal numbers, random ids, masks of ones."""
    generator = torch.Generator().manual_seed(seed)
    fed = {}
    for name, spec in network_inputs(network).items():
        shape = (n, *spec.shape)
        if spec.element == "float32":
            fed[name] = torch.randn(shape, generator=generator)
        elif spec.below is None or spec.below <= MASK:
            fed[name] = torch.ones(shape, dtype=torch.int64)
        else:
            fed[name] = torch.randint(spec.below, shape, generator=generator)
    return fed
