"""Interchangeable units (heads and neurons of a layer, channels between layers), and their importance to the loss.

Every subnet keeps the leading units, so the important ones are moved to the front (DynaBERT, Hou et al. 2020,
arXiv:2004.04037). A unit's importance is, to first order, the change of the loss when its output is set to zero:
``|sum(w * dL/dw)|`` over the weights that read it (Michel et al. 2019, arXiv:1905.10650). For channels that several layers
read, the importances to these layers are added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Units:
    """Interchangeable units between the ops that write them and the linear maps that read them.

    Attributes:
        name: for messages.
        size: consecutive channels per unit: those of a head, or 1.
        writers: ops that output the units, or scale each of them (norms).
        readers: linear maps whose input is the units, perhaps several times side by side.
        tables: ops that output the units and have them along the second axis of their weight: embeddings.
    """

    name: str
    size: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    tables: tuple[str, ...] = ()

    @property
    def places(self) -> dict[str, int]:
        """The tensors that have the units along an axis, and which axis."""
        rows = {f"{op}.{part}": 0 for op in self.writers for part in ("weight", "bias")}
        return rows | {f"{op}.weight": 1 for op in (*self.readers, *self.tables)}

    def importance(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """``(units,)`` importances to one reader, from its weight ``(out, units * size)`` and the loss's gradient by it.

        If the reader has the units k times side by side, ``(k * units,)``.
        """
        return (weight * gradient).sum(0).reshape(-1, self.size).sum(1).abs()

    def sorted(self, tensors: Mapping[str, Tensor], importance: Tensor) -> dict[str, Tensor]:
        """Copies of the ``tensors`` that have the units, with the most important units first; ties keep their order."""
        order = torch.argsort(importance, descending=True, stable=True)
        channels = (order[:, None] * self.size + torch.arange(self.size, device=order.device)).flatten()
        moved = {}
        for name, axis in self.places.items():
            if name in tensors:
                starts = torch.arange(0, tensors[name].shape[axis], len(channels), device=order.device)
                moved[name] = tensors[name].index_select(axis, (starts[:, None] + channels).flatten())
        return moved
