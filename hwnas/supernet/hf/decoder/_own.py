"""Weights that a single alternative has of its own, beside those that all cut theirs out of.

A tensor of its own goes by the name of the shared one and its shape: ``layer.3.ffn/gate.weight@768x576``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hwnas.supernet._checkpoint import Misfit, shown

OF = "@"


def own_name(tensor: str, shape: tuple[int, ...]) -> str:
    """What a tensor is called that a network with ``shape`` of it has of its own."""
    return f"{tensor}{OF}{shown(shape)}"


def own_tensors(content: Mapping[Any, Any], shapes: Mapping[str, tuple[int, ...]], origin: str) -> dict[str, Tensor]:
    """Those among the tensors of a file.

    Raises:
        Misfit: one that is of no shared tensor, or not of the shape that it is called by.
    """
    found = {str(name): tensor for name, tensor in sorted(content.items()) if OF in str(name)}
    for name, tensor in found.items():
        shared = name.partition(OF)[0]
        if shared not in shapes or name != own_name(shared, tuple(tensor.shape)) or not tensor.isfinite().all():
            rule = f"{name} is {shown(tensor.shape)}, and no part of its network"
            raise Misfit(origin, rule, "build the library again")
    return found
