"""A machine on which one and the same network takes a different time in every session is too busy to measure on."""

from __future__ import annotations

import pytest

from hwnas.latency import Load
from hwnas.latency.timing._noise import repeat_pct


def times(stage: str, **ratios: tuple[float, ...]) -> dict[tuple[str, str, int], float]:
    return {
        (stage, name, session): ratio for name, sessions in ratios.items() for session, ratio in enumerate(sessions)
    }


def test_it_is_the_median_over_networks_of_the_worst_stage() -> None:
    quiet = times("validation", a=(1.0, 1.01), b=(2.0, 2.02), c=(1.0, 1.5))
    assert repeat_pct(quiet) == pytest.approx(1)
    disturbed = times("in context", d=(1.0, 1.2), e=(1.0, 1.1), f=(1.0, 1.3))
    assert repeat_pct(quiet | disturbed) == pytest.approx(20)
    assert not Load(0.0, repeat_pct(quiet)).busy
    assert Load(0.0, repeat_pct(quiet | disturbed)).busy


def test_what_was_measured_once_tells_nothing() -> None:
    assert repeat_pct(times("validation", a=(1.0,), b=(2.0,))) is None
    assert repeat_pct({}) is None
    assert not Load(0.0, None).busy


def test_halves_of_many_sessions_differ_less() -> None:
    """Six sessions that differ by a tenth each say more together than two of them."""
    assert repeat_pct(times("validation", a=(1.0, 1.1, 1.1, 1.0, 1.0, 1.1))) == pytest.approx(100 * (3.2 / 3.1 - 1))
