"""How far the times of one and the same network differ: whether a machine is quiet enough to measure on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

NOISY_PCT = 5.0
"""Difference between repeated measurements, in percent, from which they are not to be trusted. On an idle machine it is 1 to 2."""


def repeat_pct(ratios: Mapping[tuple[str, str, int], float]) -> float | None:
    """By how much a network's time differs from one session to the next, in percent: the median over networks.

    Of the stages of a profile the worst counts; None where nothing was measured twice.

    Args:
        ratios: times as multiples of the anchor's, by stage, name and session.
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (stage, name, _), ratio in ratios.items():
        found[stage][name].append(ratio)
    stages = [
        float(np.median([max(sessions) / min(sessions) - 1 for sessions in networks.values() if len(sessions) > 1]))
        for networks in found.values()
        if any(len(sessions) > 1 for sessions in networks.values())
    ]
    return 100 * max(stages) if stages else None


def is_noisy(pct: float | None) -> bool:
    """Whether a repeated measurement differs by more than ``NOISY_PCT``; no, where that is not known."""
    return pct is not None and pct > NOISY_PCT
