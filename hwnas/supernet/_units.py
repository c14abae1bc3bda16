"""Interchangeable units (heads and neurons of a layer, channels between layers), and how much each matters to the loss.

Leading units are those that every subnet keeps, so the important ones are moved to the front (DynaBERT, Hou et al. 2020,
arXiv:2004.04037). A unit's importance is, to first order, how the loss changes when its output is multiplied by zero:
``|sum(w * dL/dw)|`` over the weights that read it (Michel et al. 2019, arXiv:1905.10650). Channels that many layers read
matter as much as they do to all of these together, each layer counted by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Units:
    """Interchangeable units between some ops that write them and some linear maps that read them.

    Attributes:
        name: for people.
        size: consecutive channels of one: a head's, or 1.
        writers: ops whose outputs they are, or that pass them on with a weight each (norms).
        readers: linear maps whose inputs they are, once or several times side by side.
        tables: ops whose outputs they are, with their channels along the second axis: embeddings.
    """

    name: str
    size: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    tables: tuple[str, ...] = ()

    @property
    def places(self) -> dict[str, int]:
        """The tensors in which they stand, and along which axis."""
        rows = {f"{op}.{part}": 0 for op in self.writers for part in ("weight", "bias")}
        return rows | {f"{op}.weight": 1 for op in (*self.readers, *self.tables)}

    def importance(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """``(units,)`` importances to one reader, by its weight ``(out, units * size)`` and the gradient of the loss by
        it; where it has them several times side by side, so many times as many."""
        return (weight * gradient).sum(0).reshape(-1, self.size).sum(1).abs()

    def sorted(self, tensors: Mapping[str, Tensor], importance: Tensor) -> dict[str, Tensor]:
        """Copies of those of ``tensors`` in which they stand, the most important unit first; ties keep their order."""
        order = torch.argsort(importance, descending=True, stable=True)
        channels = (order[:, None] * self.size + torch.arange(self.size, device=order.device)).flatten()
        moved = {}
        for name, axis in self.places.items():
            if name in tensors:
                starts = torch.arange(0, tensors[name].shape[axis], len(channels), device=order.device)
                moved[name] = tensors[name].index_select(axis, (starts[:, None] + channels).flatten())
        return moved
