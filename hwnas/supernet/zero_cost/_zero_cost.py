"""A zero-cost score: its function, its paper, and how well it ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hwnas.space import Network

Score = Callable[[Network, int], float]
"""Maps ``(network, seed)`` to a number, deterministically; larger is better."""

NB201, TREC = "NAS-Bench-201, CIFAR-10", "MiniLM on TREC"

MACS_TAU: Mapping[str, float] = {NB201: 0.63, "digits": 0.69, TREC: 0.22}
"""Kendall's tau of MACs with accuracy, by benchmark. A score should beat it."""


@dataclass(frozen=True)
class ZeroCost:
    """A zero-cost score.

    Attributes:
        score: the function.
        paper: its source.
        tau: Kendall's tau with measured accuracies, by benchmark (``benchmarks/zero_cost.py``).
    """

    score: Score
    paper: str
    tau: Mapping[str, float]

    @property
    def evidence(self) -> str:
        """A sentence about how well it ranks."""
        each = (f"{tau:.2f} on {on} (mere MACs: {MACS_TAU[on]:.2f})" for on, tau in self.tau.items())
        return f"its Kendall tau with accuracies was {', '.join(each)}"

    @property
    def facts(self) -> dict[str, Any]:
        """The same for provenance."""
        return {"paper": self.paper, "kendall_tau": dict(self.tau), "kendall_tau_of_macs": dict(MACS_TAU)}
