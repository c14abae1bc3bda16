"""Tables of several precisions: each with its own rows and facts, none harmed by another, earlier files still read."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwnas.errors import DeviceError, TableError
from hwnas.graph import mixed_space
from hwnas.latency import Device, LatencyTable, Plan, Row, find_table, find_table_for, get_device, profile
from hwnas.latency.table import _find as find
from hwnas.report import read_provenance
from hwnas.space import get_space
from tests.latency.fakes import FakeRuntime, costs, tiny_space

SPACE = tiny_space()
CPU = get_device("cpu")
SCHEMA_1 = Path(__file__).parents[2] / "fixtures" / "tables" / "schema-1-int8"
"""Written by the version before: one precision, which is part of the device."""
PLAN = Plan(n_validation=4, n_calibration=2)


def in_both() -> LatencyTable:
    """Layers that take 1 ms in fp32 and 0.25 ms in int8."""
    real, integer = (
        LatencyTable.of(CPU, [Row(key, ms, ms, ms, 1, 1) for key in SPACE.layers()], {"tiny": {"method": p}}, p)
        for p, ms in (("fp32", 1.0), ("int8", 0.25))
    )
    return real.joined(integer)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of tables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(find, "table_folders", lambda: [tmp_path / "latency_tables"])
    return tmp_path / "latency_tables"


def test_answers_are_of_one_precision_and_rows_of_any(tmp_path: Path) -> None:
    table = LatencyTable.load(in_both().save(tmp_path).path or "")
    assert table.precisions == ("fp32", "int8")
    assert table.precision == "fp32"
    rows = SPACE.sample(10, np.random.default_rng(0))
    np.testing.assert_allclose(table.at("int8").cost(SPACE)(rows), table.cost(SPACE)(rows) / 4)
    assert [table.at(p).about(SPACE)["method"] for p in table.precisions] == ["fp32", "int8"]
    # A network of both: every other layer in int8.
    network = SPACE.network(rows[0])
    mixed = [table.rows[("fp32", "int8")[i % 2], layer.key, ""] for i, (_, layer) in enumerate(network)]
    assert [row.median_ms for row in mixed] == [(1.0, 0.25)[i % 2] for i in range(len(network))]
    assert ("fp16", "head-16", "") not in table.rows


def test_layers_behind_a_conversion_have_rows_of_their_own(tmp_path: Path) -> None:
    space = mixed_space(get_space("digits").restrict(r=8), "fp32+int8")
    layers = list(space.layers().values())
    assert {layer.converted for layer in layers} == {True, False}
    rows = [Row.of(layer, ms, ms, ms, 1) for layer in layers for ms in [3.0 if layer.converted else 2.0]]
    table = LatencyTable.of(CPU, rows, precision="fp32+int8")
    read = LatencyTable.load(table.save(tmp_path).path or "", "fp32+int8")
    assert read.precisions == ("fp32+int8",)
    assert len(read.own_rows) == len(layers)
    x = space.sample(20, np.random.default_rng(0))
    networks = [space.network(row) for row in x]
    expected = [sum(3 if layer.converted else 2 for _, layer in network) for network in networks]
    np.testing.assert_allclose(read.cost(space)(x), expected)


def test_a_precision_without_rows_is_named_with_what_makes_them(tmp_path: Path) -> None:
    table = LatencyTable.of(CPU, in_both().rows.values(), precision="int8").save(tmp_path)
    assert LatencyTable.load(tmp_path).precision == "int8"
    with pytest.raises(TableError, match=r"no row for first-8-w4 and .* of tiny in fp32; fill them: hwnas profile"):
        LatencyTable.load(tmp_path, "fp32").cost(SPACE)
    with pytest.raises(TableError, match=r"\(int8\): it has no row .*--precision int8 --space tiny"):
        replace(table, rows={}).cost(SPACE)


def test_profiling_a_precision_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    times = costs(SPACE)
    profile(CPU, SPACE, tmp_path / "t", plan=PLAN, runtime=FakeRuntime(times))
    real = LatencyTable.load(tmp_path / "t")
    halved = FakeRuntime({key: ns // 2 for key, ns in times.items()})
    both = profile(CPU, SPACE, tmp_path / "t", precision="int8", plan=PLAN, runtime=halved)
    assert both.precision == "int8"
    assert both.rows.items() >= real.rows.items()
    assert both.profiles["fp32"] == real.profiles["fp32"]
    rows = SPACE.sample(10, np.random.default_rng(0))
    np.testing.assert_allclose(2 * both.cost(SPACE)(rows), real.cost(SPACE)(rows), rtol=0.01)
    with pytest.raises(DeviceError, match="precision fp16 on device 'cpu'"):
        profile(CPU, SPACE, tmp_path / "t", precision="fp16", plan=PLAN, runtime=halved)
    assert LatencyTable.load(tmp_path / "t", "int8").profiles == both.profiles


def test_what_another_profile_added_meanwhile_stays(tmp_path: Path) -> None:
    def meanwhile(done: int, *_: object) -> None:
        if not done:
            LatencyTable.of(CPU, in_both().rows.values(), precision="int8").save(tmp_path)

    table = profile(CPU, SPACE, tmp_path, plan=PLAN, runtime=FakeRuntime(costs(SPACE)), progress=meanwhile)
    assert table.precisions == ("int8", "fp32")


def test_tables_of_schema_1_keep_loading() -> None:
    table = LatencyTable.load(SCHEMA_1)
    assert table.precisions == ("int8",)
    assert table.precision == "int8"
    digits = get_space("digits").restrict(r=8)
    smallest, row = table.cost(digits).minimum()
    assert smallest == pytest.approx(sum(table.layer_rows(digits)[l.key].median_ms for _, l in digits.network(row)))
    validation, anchor = table.validation(digits), table.anchor(digits)
    assert validation is not None
    assert validation["n_validation"] == 36
    assert anchor is not None
    assert table.about(digits)["runtime"] == table.device.runtime


@pytest.mark.parametrize("damage", [{"spaces": 3}, {"spaces": {"digits": []}}, {"rows": 3}, {"schema": 3}])
def test_a_damaged_table_of_schema_1_is_one_line(tmp_path: Path, damage: dict[str, object]) -> None:
    shutil.copytree(SCHEMA_1, tmp_path / "t")
    facts = json.loads((tmp_path / "t" / "device.json").read_text())
    del facts["device"]["runtime"]
    (tmp_path / "t" / "device.json").write_text(json.dumps(facts))
    assert LatencyTable.load(tmp_path / "t").precision == "int8"
    (tmp_path / "t" / "device.json").write_text(json.dumps(facts | damage))
    with pytest.raises(TableError):
        LatencyTable.load(tmp_path / "t")


def test_a_table_of_schema_1_is_found_and_taken_over(folder: Path) -> None:
    earlier = folder / f"{CPU.id}-int8"
    shutil.copytree(SCHEMA_1, earlier)
    facts = json.loads((earlier / "device.json").read_text())
    facts["device"] = {**CPU.to_json(), "precision": "int8"}
    (earlier / "device.json").write_text(json.dumps(facts))
    digits = get_space("digits").restrict(r=8)
    found = find_table_for(CPU, digits, "int8")
    assert found is not None
    assert found.path == earlier
    assert find_table_for(CPU, digits) is None
    table = profile(CPU, SPACE, folder / CPU.id, plan=PLAN, runtime=FakeRuntime(costs(SPACE)))
    assert table.precisions == ("int8", "fp32")
    now = find_table_for(CPU, digits, "int8")
    assert now is not None
    assert now.path == folder / CPU.id
    assert now.profiles["int8"] == found.profiles["int8"]
    assert {which: row for which, row in now.rows.items() if which[0] == "int8"} == found.rows


def test_a_table_of_another_machine_is_not_taken_over(folder: Path) -> None:
    other = replace(CPU, hardware=replace(CPU.hardware, model="another"))
    LatencyTable.of(other, in_both().rows.values(), precision="int8").save(folder / f"{CPU.id}-int8")
    table = profile(CPU, SPACE, folder / CPU.id, plan=PLAN, runtime=FakeRuntime(costs(SPACE)))
    assert table.precisions == ("fp32",)


@pytest.mark.parametrize("spinning", ["stop", "off"])
def test_names_of_earlier_versions_name_the_tables_of_today(folder: Path, spinning: str) -> None:
    device = replace(CPU, spinning=spinning)
    in_both_there = replace(in_both(), device=device).save(folder / device.id)
    tail = "-spin-off" if spinning == "off" else ""
    found = find_table(f"{CPU.id}-int8{tail}")
    assert found.path == in_both_there.path
    assert found.precision == "int8"
    assert find_table(f"{CPU.id}-fp32{tail}").precision == "fp32"


def test_provenance_of_earlier_versions_tells_device_and_precision(tmp_path: Path) -> None:
    conditions = {**CPU.to_json(), "precision": "int8"}
    device = {"id": f"{CPU.id}-int8", "name": f"latency table {CPU.id}-int8", "conditions": conditions}
    (tmp_path / "p.json").write_text(json.dumps({"schema": 1, "device": device, "devices": {"phone": device}}))
    facts = read_provenance(tmp_path / "p.csv")
    for told in (facts["device"], facts["devices"]["phone"]):
        assert (told["id"], told["precision"], told["name"]) == (CPU.id, "int8", f"latency table {CPU.id}")
        assert "precision" not in told["conditions"]
        assert Device.from_json(told["conditions"]) == CPU
