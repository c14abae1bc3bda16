"""Zero-cost scores: properties of an untrained network that correlate with its accuracy after training.

They are not accuracies, and rank subnets only roughly. A new score is a file with a function of a network and a seed, a line
here, and a line in the registry of metrics.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwnas.supernet.zero_cost._scores import UntrainedScores, score_journal_identity
from hwnas.supernet.zero_cost._swap import swap
from hwnas.supernet.zero_cost._synflow import synflow
from hwnas.supernet.zero_cost._zero_cost import MACS_TAU, NB201, TREC, ZeroCost

ZERO_COST: Mapping[str, ZeroCost] = {
    "synflow": ZeroCost(synflow, "arXiv:2006.05467", {NB201: 0.56, "digits": 0.36, TREC: 0.31}),
    "swap": ZeroCost(swap, "arXiv:2403.04161", {NB201: 0.51, "digits": 0.71, TREC: 0.26}),
}
"""Scores by the name of the metric. ``python -m benchmarks.zero_cost`` printed how well each ranks."""

__all__ = ["MACS_TAU", "ZERO_COST", "UntrainedScores", "score_journal_identity", "swap", "synflow"]
