"""A zero-cost score: how it is computed, where it comes from, how well it ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hwnas.space import Network

Score = Callable[[Network, int], float]
"""``(network, seed)`` to a number, more of which is better; the same for the same network and seed."""

NB201, TREC = "NAS-Bench-201, CIFAR-10", "MiniLM on TREC"

MACS_TAU: Mapping[str, float] = {NB201: 0.63, "digits": 0.69, TREC: 0.22}
"""Kendall's tau of MACs with accuracy, by what was ranked: what a score would have to beat."""


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
        told = (f"{tau:.2f} on {on} (mere MACs: {MACS_TAU[on]:.2f})" for on, tau in self.tau.items())
        return f"its Kendall tau with accuracies was {', '.join(told)}"

    @property
    def facts(self) -> dict[str, Any]:
        """The same for a provenance."""
        return {"paper": self.paper, "kendall_tau": dict(self.tau), "kendall_tau_of_macs": dict(MACS_TAU)}
