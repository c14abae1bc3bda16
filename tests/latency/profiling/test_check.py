"""Checking a table by fresh subnets: on a machine that is unchanged, slower, different, or busy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwnas.latency import LatencyTable, Plan, check_table, get_device, machine_load, mixed_subnets, profile, renewal
from hwnas.latency.profiling._check import TWICE
from tests.latency.fakes import FakeRuntime, costs, tiny_space

SPACE = tiny_space()
COSTS = costs(SPACE)
DEVICE = get_device("cpu")
X = mixed_subnets(SPACE, 12, np.random.default_rng(3))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> LatencyTable:
    plan = Plan(n_validation=20, n_calibration=4)
    return profile(DEVICE, SPACE, tmp_path_factory.mktemp("t"), plan=plan, runtime=FakeRuntime(COSTS))


def test_it_holds_on_the_machine_it_was_made_on(table: LatencyTable, tmp_path: Path) -> None:
    found = check_table(table, SPACE, X, tmp_path / "j", runtime=FakeRuntime(COSTS))
    assert found.holds
    assert found.surely_holds
    assert found.validation["n_validation"] == 12
    assert found.validation["mape_pct"] < 0.1
    assert found.slowdown == pytest.approx(1)
    assert found.load.repeat_pct == pytest.approx(0, abs=1e-6)
    assert not found.load.busy
    assert (tmp_path / "j").read_text().count('"session": 1') == TWICE


def test_a_slower_machine_is_told_by_its_clock(table: LatencyTable, tmp_path: Path) -> None:
    found = check_table(table, SPACE, X, tmp_path / "j", runtime=FakeRuntime(COSTS, speed=lambda _: 1.5))
    assert not found.holds
    assert found.slowdown == pytest.approx(1.5, rel=1e-3)
    assert found.validation["bias_pct"] == pytest.approx(-100 / 3, abs=0.1)
    assert found.expected_pct == pytest.approx(0)


def test_layers_that_changed_are_found(table: LatencyTable, tmp_path: Path) -> None:
    changed = {key: ns * (1 + i % 2) for i, (key, ns) in enumerate(COSTS.items())}
    found = check_table(table, SPACE, X, tmp_path / "j", runtime=FakeRuntime(changed))
    assert not found.holds
    assert found.validation["within_10_pct"] < 50
    assert "12 subnets timed now are off by" in found.words


def test_another_process_on_the_core_is_seen(table: LatencyTable, tmp_path: Path) -> None:
    """Half of all runs wait for two milliseconds: they do not count, so the times agree, and yet they are not trusted."""
    busy = FakeRuntime(COSTS, busy=lambda run: 2_000_000 * (run % 2))
    found = check_table(table, SPACE, X, tmp_path / "j", runtime=busy)
    assert found.load.waited_pct == pytest.approx(50, abs=3)
    assert found.load.busy
    assert "50 % of runs waited for a core (up to 20 % is usual)" in found.load.words
    assert found.validation["mape_pct"] < 0.1
    seen = machine_load(DEVICE, SPACE, runtime=FakeRuntime(COSTS, busy=lambda run: 2_000_000 * (run % 2)))
    assert seen.busy
    assert not machine_load(DEVICE, SPACE, runtime=FakeRuntime(COSTS)).busy


def test_times_that_do_not_repeat_are_noise(table: LatencyTable, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    factor: dict[int, float] = {}
    # Each stretch of 50 runs has a speed of its own, the anchor beside a subnet another than the subnet.
    runtime = FakeRuntime(COSTS, speed=lambda run: factor.setdefault(run // 50, float(rng.uniform(0.7, 1.4))))
    found = check_table(table, SPACE, X, tmp_path / "j", runtime=runtime)
    assert found.load.high_pct - found.load.low_pct > 10
    assert found.load.repeat_pct is not None
    assert found.load.repeat_pct > 0.5


def test_the_command_that_renews_names_what_is_covered(tmp_path: Path) -> None:
    part = profile(DEVICE, SPACE.restrict(r=8), tmp_path, plan=Plan(n_validation=4), runtime=FakeRuntime(COSTS))
    command = "hwnas profile --device cpu --threads 1 --batch 1 --space tiny"
    assert renewal(part, SPACE) == f"{command} --fix r=8"
    assert renewal(part, SPACE.opened_by("my small.json")) == f"{command.removesuffix('tiny')}'my small.json' --fix r=8"
