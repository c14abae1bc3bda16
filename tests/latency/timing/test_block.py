"""Sessions of one model, put together."""

from __future__ import annotations

import pytest

from hwnas.latency.timing._block import Times, median_times


def test_a_session_that_was_disturbed_all_along_does_not_move_the_others() -> None:
    sessions = [Times(ratio, 10 * ratio, 12 * ratio, 10.0, 30, waited=0.1) for ratio in (1.0, 1.02, 1.5)]
    found = median_times(sessions)
    assert (found.ratio, found.median_ms, found.anchor_ms, found.waited) == (1.02, 10.2, 10.0, 0.1)
    assert found.runs == 90
    assert median_times(sessions[:2]).ratio == pytest.approx(1.01)
    assert median_times(sessions[:1]) == sessions[0]
