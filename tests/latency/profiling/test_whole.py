"""Subnets measured as whole networks: by the clock, and at the table's speed; each once, killed or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwnas.errors import DataError
from hwnas.latency import Anchor, Device, measure_subnets
from tests.latency.fakes import FakeRuntime, costs, tiny_space

DEVICE = Device("cpu", "CPUExecutionProvider")


def test_latencies_are_by_the_clock_and_beside_it_at_the_reference_speed(tmp_path: Path):
    space = tiny_space()
    each = costs(space)
    x = space.sample(5, np.random.default_rng(0))
    x = np.concatenate([x, x[:1]])
    true_ms = np.array([sum(each[layer.key] for _, layer in space.network(row)) for row in x]) / 1e6
    anchor = Anchor(space.network(x[2]), float(true_ms[2]))
    runtime = FakeRuntime(each, speed=lambda _: 1.25)
    found = measure_subnets(DEVICE, space, x, tmp_path / "j", anchor=anchor, runtime=runtime)
    assert [m.at_table_speed_ms for m in found.measurements] == pytest.approx(true_ms)
    np.testing.assert_allclose([m.median_ms for m in found.measurements], true_ms * 1.25, rtol=1e-6)
    assert found.speed.pct == pytest.approx(80)
    assert not found.speed.wanders


def test_without_a_table_the_speed_is_that_of_the_moment(tmp_path: Path):
    space = tiny_space()
    each = costs(space)
    x = space.sample(4, np.random.default_rng(0))
    found = measure_subnets(DEVICE, space, x, tmp_path / "j", runtime=FakeRuntime(each))
    true_ms = [sum(each[layer.key] for _, layer in space.network(row)) / 1e6 for row in x]
    np.testing.assert_allclose([m.median_ms for m in found.measurements], true_ms, rtol=1e-6)
    assert found.speed.pct is None
    assert found.measurements[0].at_table_speed_ms is None


def test_what_was_measured_before_an_interruption_is_not_measured_again(tmp_path: Path):
    space = tiny_space()
    each = costs(space)
    x = np.unique(space.sample(200, np.random.default_rng(0)), axis=0)
    whole = FakeRuntime(each)
    expected = measure_subnets(DEVICE, space, x, tmp_path / "whole", sessions=1, runtime=whole)
    cut = FakeRuntime(each, stop_after=whole.runs // 2)
    with pytest.raises(KeyboardInterrupt, match=f"of {len(x)} timings are kept in .*; the same command resumes"):
        measure_subnets(DEVICE, space, x, tmp_path / "j", sessions=1, runtime=cut)
    rest = FakeRuntime(each)
    found = measure_subnets(DEVICE, space, x, tmp_path / "j", sessions=1, runtime=rest)
    assert 0 < rest.runs < 0.8 * whole.runs
    np.testing.assert_allclose(
        [m.median_ms for m in found.measurements], [m.median_ms for m in expected.measurements], rtol=1e-6
    )
    other = Device("cpu", "CPUExecutionProvider", threads=2)
    with pytest.raises(DataError, match="it was begun with device"):
        measure_subnets(other, space, x, tmp_path / "j", runtime=rest)


def test_nothing_to_measure(tmp_path: Path):
    space = tiny_space()
    assert not measure_subnets(DEVICE, space, space.sample(0, np.random.default_rng(0)), tmp_path / "j").measurements
    assert not (tmp_path / "j").exists()
