"""How well predicted latencies agree with measured ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE_PCT, BAR_PCT = 5.0, 95.0
"""Predictions are good if so many percent of subnets are within this error of the clock."""

_TWO_SIDED = 1.96
"""Standard deviations within which 95 % of a normal distribution lie."""


def fidelity(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> dict[str, float]:
    """Errors of ``(n,)`` predictions against measurements, in the form tables store.

    ``within_5_pct`` and ``within_10_pct`` are percentages of subnets; ``p95_error_pct`` bounds the absolute
    error of 95 % of them; ``spearman`` is the rank correlation (1 if there is nothing to rank).
    """
    error = 100 * (predicted / measured - 1)
    absolute = np.abs(error)
    return {
        "n_validation": len(error),
        "within_5_pct": float(100 * np.mean(absolute <= 5)),
        "within_10_pct": float(100 * np.mean(absolute <= 10)),
        "mape_pct": float(np.mean(absolute)),
        "bias_pct": float(np.mean(error)),
        "p95_error_pct": float(np.quantile(absolute, 0.95)),
        "max_error_pct": float(np.max(absolute)),
        "spearman": _rank_correlation(predicted, measured),
    }


def expected_within_pct(
    predicted: NDArray[np.float64], measured: NDArray[np.float64], noise_pct: float = 0.0, *, cautious: bool = False
) -> float:
    """The share of fresh subnets, in percent, that ``(n,)`` subnets let expect within ``TOLERANCE_PCT`` of the clock.

    Relative errors are taken as normal, with the mean and the deviation of these subnets. Part of each error is the
    clock's own noise, which is no fault of the prediction: the tolerance is widened by it.

    Args:
        predicted, measured: ms; a single subnet stands for itself.
        noise_pct: standard deviation of one measurement.
        cautious: allow for how little few subnets tell of mean and deviation: the error of a fresh one then has a Student
            distribution (Gelman et al. 2013, Bayesian Data Analysis, section 3.2).
    """
    from scipy.special import stdtr  # 0.1 s, and most commands do without

    mean, spread = _moments(predicted, measured)
    n, tolerance = len(measured), _tolerance_pct(noise_pct)
    if not cautious or n == 1:
        return _normal_share(mean, spread, tolerance)
    wider = spread * math.sqrt(1 + 1 / n)
    return float(100 * (stdtr(n - 1, (tolerance - mean) / wider) - stdtr(n - 1, (-tolerance - mean) / wider)))


def at_most_within_pct(predicted: NDArray[np.float64], measured: NDArray[np.float64], noise_pct: float = 0.0) -> float:
    """The largest share within ``TOLERANCE_PCT`` that ``(n,)`` subnets leave likely, in percent; see `expected_within_pct`.

    The deviation of errors may be less than that of these subnets, down to one under which so much would be seen in one case
    of twenty (by the chi-squared distribution of variances).
    """
    from scipy.special import chdtri  # as above

    mean, spread = _moments(predicted, measured)
    n = len(measured)
    least = spread * math.sqrt((n - 1) / chdtri(n - 1, 0.05)) if n > 1 else spread
    return _normal_share(mean, least, _tolerance_pct(noise_pct))


def _moments(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and deviation of relative errors, in percent."""
    errors = 100 * np.log(predicted / measured)
    return float(np.mean(errors)), max(1e-9, float(np.std(errors, ddof=1))) if len(errors) > 1 else 1e-9


def _tolerance_pct(noise_pct: float) -> float:
    return math.hypot(TOLERANCE_PCT, _TWO_SIDED * noise_pct)


def _normal_share(mean: float, spread: float, tolerance: float) -> float:
    """Percentage of a normal distribution that lies within a tolerance of 0."""
    from scipy.special import ndtr  # as above

    return float(100 * (ndtr((tolerance - mean) / spread) - ndtr((-tolerance - mean) / spread)))


def summary(validation: Mapping[str, Any]) -> str:
    """One line for people."""
    return (
        f"{validation['within_5_pct']:.1f} % within 5 %, {validation['within_10_pct']:.1f} % within 10 %, "
        f"MAPE {validation['mape_pct']:.2f} %, bias {validation['bias_pct']:+.2f} %, "
        f"Spearman {validation['spearman']:.4f} on {validation['n_validation']} subnets"
    )


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    x, y = _ranks(a), _ranks(b)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 1.0
    return float(np.corrcoef(x, y)[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = (ends - (counts + 1) / 2)[inverse]
    return ranks
