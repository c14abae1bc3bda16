"""How far a predicted latency may be off: an interval from whole subnets that took no part in the table.

Split conformal prediction (Lei et al. 2018, arXiv:1604.04173): of n subnets that were predicted like any other, the
``ceil((n + 1) level)``-th smallest error bounds that of the next one with at least probability ``level``, whatever
the errors' distribution. Errors are relative to the prediction: those of a table are as large, in percent, for
small subnets as for large ones. That holds for subnets drawn like those; a search picks the ones that a table flatters,
so more of a front lies outside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9
"""Share of subnets whose latency shall lie within their interval."""

LATER = 0.005
"""Relative error that intervals add for the time that has passed since the profile, in which a machine changes its speed a
little for all subnets alike. Without it, of 100 fresh subnets timed half an hour or an hour later, 77 to 96 % (seven tables;
86 % in the median) lay within intervals that should hold 90 %."""


def radius(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> float | None:
    """Half the width of the interval, relative to the prediction; None where there are too few ``(n,)`` subnets."""
    errors = np.sort(np.abs(measured / predicted - 1))
    rank = math.ceil((len(errors) + 1) * LEVEL)
    return float(errors[rank - 1]) if rank <= len(errors) else None


def coverage(predicted: NDArray[np.float64], measured: NDArray[np.float64], half_width: float) -> float:
    """Share of subnets that lie within ``half_width`` of their prediction."""
    return float(np.mean(np.abs(measured / predicted - 1) <= half_width))


def interval(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> dict[str, float] | None:
    """The interval that ``(n,)`` subnets tell, in the form tables store; None where they are too few.

    ``coverage_pct`` is checked on subnets that did not set it: every other one against what the rest would have set.
    (Leaving out one at a time would check nothing: the share that lies within is then the same whatever the errors.)
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
    """A table's interval: ``90 % of subnets lie within 2.9 % of their prediction``."""
    words = f"{facts['level_pct']:g} % of subnets within {facts['plus_minus_pct']:.1f} % of their prediction"
    if "coverage_pct" in facts:
        words += f"; of each half, by what the other tells, {facts['coverage_pct']:.1f} % are"
    return f"{words}; for another hour predictions allow {100 * LATER:g} % more"
