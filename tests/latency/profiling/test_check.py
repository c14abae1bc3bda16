"""A table held against fresh subnets: of a machine that stayed as it was, that slowed down, that changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwnas.errors import TableError
from hwnas.latency import Device, LatencyTable, Plan, Row, check_table, get_device, profile, renewal
from tests.latency.fakes import FakeRuntime, costs, tiny_space

SPACE = tiny_space()
COSTS = costs(SPACE)
DEVICE = get_device("cpu")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> LatencyTable:
    plan = Plan(n_validation=20, n_calibration=4)
    return profile(DEVICE, SPACE, tmp_path_factory.mktemp("t"), plan=plan, runtime=FakeRuntime(COSTS))


def test_it_holds_on_the_machine_it_was_made_on(table: LatencyTable, tmp_path: Path) -> None:
    found = check_table(table, SPACE.restrict(r=16), tmp_path / "j", n=12, runtime=FakeRuntime(COSTS))
    assert found.faults == ()
    assert found.validation["n_validation"] == 12
    assert found.validation["mape_pct"] < 0.1
    assert found.speed_pct == pytest.approx(100)
    assert found.repeat_pct == pytest.approx(0, abs=1e-6)


def test_a_slower_machine_is_told_apart_from_a_wrong_table(table: LatencyTable, tmp_path: Path) -> None:
    found = check_table(table, SPACE, tmp_path / "j", runtime=FakeRuntime(COSTS, speed=lambda _: 1.5))
    assert found.faults == ("this machine runs at 67 % of the speed it was profiled at",)
    assert found.validation["mape_pct"] < 0.1


def test_layers_that_changed_are_found(table: LatencyTable, tmp_path: Path) -> None:
    anchor = {layer.key for _, layer in table.anchor(SPACE).network}  # type: ignore[union-attr]
    changed = {key: ns if key in anchor else 2 * ns for key, ns in COSTS.items()}
    found = check_table(table, SPACE, tmp_path / "j", runtime=FakeRuntime(changed))
    assert len(found.faults) == 2
    assert "within 10 %" in found.faults[0]
    assert "off by -" in found.faults[1]
    assert found.speed_pct == pytest.approx(100)


def test_the_share_within_the_interval_is_told(
    table: LatencyTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = {key: round(ns * (1 + 0.02 * np.sin(i))) for i, (key, ns) in enumerate(COSTS.items())}
    shares = []
    for width in (0.002, 0.01, 1.0):
        monkeypatch.setattr(LatencyTable, "plus_minus", lambda *_, width=width: width)
        found = check_table(table, SPACE, tmp_path / f"{width}", runtime=FakeRuntime(noisy))
        shares.append(found.coverage_pct or 0.0)
    assert shares[2] == 100
    assert 0 <= shares[0] < shares[1] <= 100


def test_an_imported_table_has_nothing_to_compare_with(tmp_path: Path) -> None:
    rows = {(key, ""): Row(key, 1, 1, 1, 1, 1) for key in SPACE.layers()}
    with pytest.raises(TableError, match="no anchor"):
        check_table(LatencyTable(Device("note10", ""), rows), SPACE, tmp_path / "j", runtime=FakeRuntime(COSTS))


def test_the_command_that_renews_names_what_is_covered(tmp_path: Path) -> None:
    part = profile(DEVICE, SPACE.restrict(r=8), tmp_path, plan=Plan(n_validation=4), runtime=FakeRuntime(COSTS))
    command = "hwnas profile --device cpu --threads 1 --batch 1 --space tiny"
    assert renewal(part, SPACE) == f"{command} --fix r=8"
