"""How far the times of one and the same network differ: whether a machine is quiet enough to measure on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from hwnas.latency.timing._block import NetworkTimes

NOISY_PCT = 5.0
"""From here on measurements are not to be trusted. On a machine that does nothing else it is 1 to 2 %."""


def repeat_pct(times: Mapping[tuple[str, str, int], NetworkTimes]) -> float | None:
    """By how much a network's time differs from one session to the next, in percent: the median over networks.

    Of the stages of a profile the worst counts; None where nothing was measured twice.

    Args:
        times: by stage, name and session.
    """
    ratios: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (stage, name, _), one in times.items():
        ratios[stage][name].append(one.ratio)
    stages = [
        float(np.median([max(sessions) / min(sessions) - 1 for sessions in networks.values() if len(sessions) > 1]))
        for networks in ratios.values()
        if any(len(sessions) > 1 for sessions in networks.values())
    ]
    return 100 * max(stages) if stages else None


def is_noisy(pct: float | None) -> bool:
    return pct is not None and pct > NOISY_PCT
