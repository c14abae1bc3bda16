"""How batch norms normalise: by stored statistics, or by the batch's own, which calibration averages over batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor


class Calibration:
    """Batch-norm statistics gathered over batches.

    Each batch is normalised by its own biased mean and variance; both are averaged over batches,
    weighted by batch size. That is what Once-for-All's published accuracies were measured with.
    """

    def __init__(self) -> None:
        self.n_images = 0
        self._sums: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, name: str, mean: Tensor, variance: Tensor, n: int) -> None:
        """Counts a batch of ``n`` samples for the batch norm ``name``: ``(channels,)`` both."""
        total_mean, total_variance = self._sums.get(name, (0.0, 0.0))
        self._sums[name] = (total_mean + n * mean.detach(), total_variance + n * variance.detach())

    def statistics(self) -> dict[str, Tensor]:
        """``{"<slot>/<op>.bn.running_mean": (channels,), "...running_var": (channels,)}``."""
        found = {}
        for name, (mean, variance) in self._sums.items():
            found[f"{name}.running_mean"] = mean / self.n_images
            found[f"{name}.running_var"] = variance / self.n_images
        return found


@dataclass(frozen=True)
class Shared:
    """A batch of which each process of a team holds a part.

    Attributes:
        gathered: ``(size, n)``, what every process has of a tensor ``(n,)``; gradients flow back to where they belong.
    """

    gathered: Callable[[Tensor], Tensor]


BatchNormMode = Literal["eval", "train"] | Calibration | Shared
"""Normalise by the stored statistics, by the batch's own, by its own while gathering them, or by those of a shared batch."""
