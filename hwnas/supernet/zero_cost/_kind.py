"""What is known of a zero-cost score: how it is computed, where it comes from, how well it ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hwnas.space import Network

Score = Callable[[Network, int], float]
"""``(network, seed)`` to a number, more of which is better; the same for the same network and seed."""

SIZE_TAU: Mapping[str, float] = {}
"""Kendall's tau of the number of parameters with accuracy, by what was ranked: what a score has to beat."""


@dataclass(frozen=True)
class ZeroCost:
    """A zero-cost score.

    Attributes:
        score: of a network.
        paper: that it comes from.
        tau: Kendall's tau with measured accuracies, by what was ranked (``benchmarks/zero_cost.py``).
    """

    score: Score
    paper: str
    tau: Mapping[str, float]

    @property
    def evidence(self) -> str:
        """How well it ranks, in words."""
        mine, size = (", ".join(f"{value:.2f} on {on}" for on, value in taus.items()) for taus in (self.tau, SIZE_TAU))
        return f"with accuracies it had Kendall's tau {mine}, the mere number of parameters {size}"

    @property
    def facts(self) -> dict[str, Any]:
        """The same for a provenance."""
        return {"paper": self.paper, "kendall_tau": dict(self.tau), "kendall_tau_of_params": dict(SIZE_TAU)}
