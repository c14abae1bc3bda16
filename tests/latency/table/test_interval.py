"""Intervals hold for fresh subnets whatever the errors' distribution, and are as narrow as that allows."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.latency import coverage
from hwnas.latency.table._interval import interval, radius


@pytest.mark.parametrize("n", [9, 19, 36, 100])
@pytest.mark.parametrize("draw", ["standard_normal", "standard_cauchy", "random"])
def test_a_fresh_subnet_lies_within_as_often_as_promised(n: int, draw: str) -> None:
    rng = np.random.default_rng(n)
    errors = 0.02 * np.abs(getattr(rng, draw)((4000, n + 1)))
    ones = np.ones(n)
    inside = [coverage(ones[:1], 1 + row[-1:], radius(ones, 1 + row[:-1]) or 0.0) for row in errors]
    expected = np.ceil(0.9 * (n + 1)) / (n + 1)
    assert np.mean(inside) == pytest.approx(expected, abs=0.02)
    assert expected >= 0.9


def test_errors_are_relative_to_the_prediction() -> None:
    predicted = np.linspace(1, 100, 50)
    assert radius(predicted, 1.03 * predicted) == pytest.approx(0.03)
    assert radius(predicted, 0.97 * predicted) == pytest.approx(0.03)


def test_too_few_subnets_tell_no_interval() -> None:
    assert interval(np.ones(8), np.ones(8)) is None
    few = interval(np.ones(12), np.full(12, 1.01))
    assert few is not None
    assert "coverage_pct" not in few  # halves of six bound nothing


def test_the_share_is_checked_on_subnets_that_did_not_set_the_interval() -> None:
    rng = np.random.default_rng(0)
    predicted = np.ones(400)
    alike = interval(predicted, 1 + 0.02 * rng.standard_normal(400))
    assert alike is not None
    assert alike["coverage_pct"] == pytest.approx(90, abs=4)
    # One half is ten times as far off: nine tenths of it lie outside of what the other tells.
    unlike = interval(predicted, 1 + np.tile([0.002, 0.02], 200) * rng.standard_normal(400))
    assert unlike is not None
    assert unlike["coverage_pct"] < 70
    assert unlike["plus_minus_pct"] > 2
