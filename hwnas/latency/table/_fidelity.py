"""How well predicted latencies agree with measured ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
