"""Errors of predictions, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hwnas.latency import fidelity, summary
from hwnas.latency.table._fidelity import BAR_PCT, at_most_within_pct, expected_within_pct


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
    assert summary(found).endswith(" on 4 subnets")
    assert summary(fidelity(np.ones(1), np.ones(1))).endswith(" on 1 subnet")


def test_rank_correlation_with_ties_is_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 9, (2, 40)).astype(float)
    assert fidelity(a, b)["spearman"] == pytest.approx(stats.spearmanr(a, b).statistic)
    assert fidelity(np.ones(3), np.array([1.0, 2.0, 3.0]))["spearman"] == 1


def test_the_share_to_expect_is_that_of_the_distribution() -> None:
    """Of many subnets the estimate is the true share; of few the cautious one is lower, by the share it really has."""
    rng = np.random.default_rng(1)
    for mean, sd in ((0.0, 2.0), (2.0, 2.5), (-6.0, 1.0)):
        truth = 100 * (stats.norm.cdf((5 - mean) / sd) - stats.norm.cdf((-5 - mean) / sd))
        measured = np.full(20_000, 3.0)
        predicted = measured * np.exp(rng.normal(mean, sd, len(measured)) / 100)
        assert expected_within_pct(predicted, measured) == pytest.approx(truth, abs=0.6)
        assert expected_within_pct(predicted, measured, cautious=True) == pytest.approx(truth, abs=0.6)


def test_a_cautious_share_is_kept_on_average() -> None:
    """The next error lies within as often as a Student distribution says (its definition, by simulation)."""
    rng, said, kept = np.random.default_rng(2), [], []
    for _ in range(4000):
        errors = rng.normal(0.5, 2.5, 7)
        predicted = 100 * np.exp(errors[:6] / 100)
        said.append(expected_within_pct(predicted, np.full(6, 100.0), cautious=True))
        kept.append(100 * (abs(errors[6]) <= 5))
    # Averaged over data of one truth it is lower than what happens; over a flat prior of truths they agree.
    assert np.mean(said) < np.mean(kept) < np.mean(said) + 12


def test_noise_of_the_clock_is_no_fault_of_the_table() -> None:
    """A table just at the bar stays there however noisily it is measured."""
    rng = np.random.default_rng(3)
    for noise in (0.0, 1.0, 2.5, 4.0):
        measured = np.full(50_000, 10.0)
        predicted = measured * np.exp(rng.normal(0, np.hypot(5 / 1.96, noise), len(measured)) / 100)
        assert expected_within_pct(predicted, measured, noise) == pytest.approx(95, abs=0.4)
    assert expected_within_pct(np.array([1.04]), np.array([1.0])) == 100
    assert expected_within_pct(np.array([1.06]), np.array([1.0])) == 0


def test_a_share_that_is_likely_at_most_is_wrong_one_time_in_twenty() -> None:
    """Of tables just at the bar so many are said to be surely below it, however few subnets tell."""
    rng = np.random.default_rng(4)
    for n in (6, 13, 36):
        errors = rng.normal(0, 5 / stats.norm.ppf(0.975), (4000, n))
        centred = errors - errors.mean(axis=1, keepdims=True)  # the share is that of the mean that is seen
        told = [at_most_within_pct(100 * np.exp(row / 100), np.full(n, 100.0)) for row in centred]
        assert np.mean(np.array(told) < BAR_PCT) == pytest.approx(0.05, abs=0.012)
    assert at_most_within_pct(np.array([1.04]), np.array([1.0])) == 100
