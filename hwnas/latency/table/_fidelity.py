"""Agreement of predicted latencies with measured ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.wording import count_of

TOLERANCE_PCT, BAR_PCT = 5.0, 95.0
"""Predictions are good if ``BAR_PCT`` percent of subnets are within ``TOLERANCE_PCT`` percent of their measured time."""

_TWO_SIDED = 1.96
"""95 % of a normal distribution lie within this many standard deviations."""


def fidelity(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> dict[str, float]:
    """Errors of ``(n,)`` predictions against measurements, as tables store them.

    ``within_5_pct`` and ``within_10_pct`` are percentages of subnets; 95 % of absolute errors are below ``p95_error_pct``;
    ``spearman`` is the rank correlation (1 if all values are equal).
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
    """Expected percentage of new subnets within ``TOLERANCE_PCT`` of their measured time, estimated from ``(n,)`` subnets.

    Relative errors are assumed to be normal, with the mean and standard deviation of these subnets. The tolerance is widened by
    the noise of the measurements, which is not the prediction's fault.

    Args:
        predicted, measured: ms.
        noise_pct: standard deviation of one measurement.
        cautious: allow for the uncertainty of mean and standard deviation: the error of a new subnet then has a Student
            distribution (Gelman et al. 2013, Bayesian Data Analysis, section 3.2).
    """
    from scipy.special import stdtr  # takes 0.1 s, and most commands do not need it

    mean, spread = _moments(predicted, measured)
    n, tolerance = len(measured), _tolerance_pct(noise_pct)
    if not cautious or n == 1:
        return _normal_share(mean, spread, tolerance)
    wider = spread * math.sqrt(1 + 1 / n)
    return float(100 * (stdtr(n - 1, (tolerance - mean) / wider) - stdtr(n - 1, (-tolerance - mean) / wider)))


def at_most_within_pct(predicted: NDArray[np.float64], measured: NDArray[np.float64], noise_pct: float = 0.0) -> float:
    """Upper bound of `expected_within_pct`: with the smallest standard deviation of errors that these subnets leave plausible.

    With a smaller one, subnets would differ this much in less than one case of twenty (by the chi-squared distribution).
    """
    from scipy.special import chdtri  # as above

    mean, spread = _moments(predicted, measured)
    n = len(measured)
    least = spread * math.sqrt((n - 1) / chdtri(n - 1, 0.05)) if n > 1 else spread
    return _normal_share(mean, least, _tolerance_pct(noise_pct))


def _moments(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of relative errors, in percent."""
    errors = 100 * np.log(predicted / measured)
    return float(np.mean(errors)), max(1e-9, float(np.std(errors, ddof=1))) if len(errors) > 1 else 1e-9


def _tolerance_pct(noise_pct: float) -> float:
    return math.hypot(TOLERANCE_PCT, _TWO_SIDED * noise_pct)


def _normal_share(mean: float, spread: float, tolerance: float) -> float:
    """Percentage of a normal distribution within a tolerance of 0."""
    from scipy.special import ndtr  # as above

    return float(100 * (ndtr((tolerance - mean) / spread) - ndtr((-tolerance - mean) / spread)))


def summary(validation: Mapping[str, Any]) -> str:
    """The errors in one line."""
    n = int(validation["n_validation"])
    order = f"Spearman {validation['spearman']:.4f} " if n > 2 else ""  # one or two are in order by themselves
    return (
        f"{validation['within_5_pct']:.1f} % within 5 %, {validation['within_10_pct']:.1f} % within 10 %, "
        f"MAPE {validation['mape_pct']:.2f} %, bias {validation['bias_pct']:+.2f} %, {order}on {count_of(n, 'subnet')}"
    )


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    import pandas as pd

    x, y = (pd.Series(values).rank() for values in (a, b))  # its own Spearman correlation would import scipy.stats
    return float(x.corr(y)) if x.nunique() > 1 < y.nunique() else 1.0
