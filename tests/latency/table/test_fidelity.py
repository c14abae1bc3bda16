"""Errors of predictions, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hwnas.latency import fidelity, summary


def test_by_hand() -> None:
    found = fidelity(np.array([1.04, 1.92, 2.72, 4.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert found["n_validation"] == 4
    assert found["within_5_pct"] == 75  # 4, -4, -9.33, 0 %
    assert found["within_10_pct"] == 100
    assert found["mape_pct"] == pytest.approx((4 + 4 + 28 / 3) / 4)
    assert found["bias_pct"] == pytest.approx(-28 / 3 / 4)
    assert found["max_error_pct"] == pytest.approx(28 / 3)
    assert found["spearman"] == 1
    assert summary(found).startswith("75.0 % within 5 %, 100.0 % within 10 %, MAPE 4.33 %, bias -2.33 %, Spearman 1.0")


def test_rank_correlation_with_ties_is_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 9, (2, 40)).astype(float)
    assert fidelity(a, b)["spearman"] == pytest.approx(stats.spearmanr(a, b).statistic)
    assert fidelity(np.ones(3), np.array([1.0, 2.0, 3.0]))["spearman"] == 1
