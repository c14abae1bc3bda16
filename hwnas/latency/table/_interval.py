"""Prediction intervals of latencies, from whole subnets that took no part in making the table.

Split conformal prediction (Lei et al. 2018, arXiv:1604.04173): of the errors of n subnets, the ``ceil((n + 1) level)``-th
smallest bounds the error of the next subnet with at least probability ``level``, for any distribution of errors. Errors are
relative to the prediction, since a table's errors in percent are about the same for small and large subnets. The probability
holds for subnets drawn like those n. A search prefers subnets whose latency the table underestimates, so more of a front lies
outside the interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9
"""Intended share of subnets whose latency lies within their interval."""

LATER = 0.005
"""Relative error added to intervals, because after the profile a machine's speed changes a little for all subnets alike. Without
it, intervals that should hold 90 % held 77 to 96 % of 100 new subnets timed half an hour or an hour later (seven tables; median
86 %)."""


def radius(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> float | None:
    """Half the width of the interval, relative to the prediction; None if there are too few subnets."""
    errors = np.sort(np.abs(measured / predicted - 1))
    rank = math.ceil((len(errors) + 1) * LEVEL)
    return float(errors[rank - 1]) if rank <= len(errors) else None


def coverage(predicted: NDArray[np.float64], measured: NDArray[np.float64], half_width: float) -> float:
    """Share of subnets whose measured time is within the relative ``half_width`` of the prediction."""
    return float(np.mean(np.abs(measured / predicted - 1) <= half_width))


def interval(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> dict[str, float] | None:
    """The interval from ``(n,)`` subnets, as tables store it; None if they are too few.

    ``coverage_pct`` is cross-validated: the share of each half of the subnets within the interval of the other half. (Leaving
    out one subnet at a time would give the same share for any errors.)
    """
    half_width = radius(predicted, measured)
    if half_width is None:
        return None
    checked = []
    for mine in (slice(0, None, 2), slice(1, None, 2)):
        others = slice(1 - (mine.start or 0), None, 2)
        set_by_others = radius(predicted[others], measured[others])
        if set_by_others is not None:
            checked.append(coverage(predicted[mine], measured[mine], set_by_others))
    facts = {"level_pct": 100 * LEVEL, "plus_minus_pct": 100 * half_width, "n": len(measured)}
    return facts if len(checked) < 2 else {**facts, "coverage_pct": 100 * float(np.mean(checked))}


def interval_words(facts: Mapping[str, Any]) -> str:
    """A table's interval in words: ``90 % of subnets within 2.9 % of their prediction``."""
    words = f"{facts['level_pct']:g} % of subnets within {facts['plus_minus_pct']:.1f} % of their prediction"
    if "coverage_pct" in facts:
        words += f" ({facts['coverage_pct']:.1f} % in cross-validation)"
    return f"{words}; predictions add {100 * LATER:g} % for later changes of the machine's speed"
