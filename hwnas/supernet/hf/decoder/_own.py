"""Own tensors: weights of a single alternative, beside the shared tensors from which all others are cut.

An own tensor is named after the shared tensor and its shape: ``layer.3.ffn/gate.weight@768x576``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hwnas.supernet._checkpoint import Misfit, shown

OF = "@"


def own_name(tensor: str, shape: tuple[int, ...]) -> str:
    """The name of the own tensor of alternatives that use ``shape`` of a shared tensor."""
    return f"{tensor}{OF}{shown(shape)}"


def own_tensors(content: Mapping[Any, Any], shapes: Mapping[str, tuple[int, ...]], origin: str) -> dict[str, Tensor]:
    """The own tensors among those of a file.

    Raises:
        Misfit: one belongs to no shared tensor, has another shape than its name, or is not finite.
    """
    found = {str(name): tensor for name, tensor in sorted(content.items()) if OF in str(name)}
    for name, tensor in found.items():
        shared = name.partition(OF)[0]
        if shared not in shapes or name != own_name(shared, tuple(tensor.shape)) or not tensor.isfinite().all():
            rule = f"{name} is {shown(tensor.shape)}, and no part of its network"
            raise Misfit(origin, rule, "build the library again")
    return found
