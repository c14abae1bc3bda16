"""How batch norms normalise: with stored statistics, or with the batch's, which calibration averages over batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor


class Calibration:
    """Batch-norm statistics gathered over batches.

    Each batch is normalised with its own mean and biased variance. Both are averaged over batches, weighted by batch size,
    as for Once-for-All's published accuracies.
    """

    def __init__(self) -> None:
        self.n_images = 0
        self._sums: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, name: str, mean: Tensor, variance: Tensor, n: int) -> None:
        """Add the ``(channels,)`` mean and variance of a batch of ``n`` samples at the batch norm ``name``."""
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
    """A batch that is spread over the processes of a team.

    Attributes:
        gathered: turns a process's tensor ``(n,)`` into those of all processes, ``(size, n)``; gradients flow back to each.
    """

    gathered: Callable[[Tensor], Tensor]


BatchNormMode = Literal["eval", "train"] | Calibration | Shared
"""Normalise with stored statistics, with the batch's, with the batch's while gathering them, or with a shared batch's."""
