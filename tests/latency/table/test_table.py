"""Latency tables: sums, files that round-trip, and files that are refused in one line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwnas.errors import DataError, HwnasError, TableError
from hwnas.graph import PRECISIONS
from hwnas.latency import Device, Hardware, LatencyTable, Row, get_device
from tests.latency.fakes import costs, tiny_space

SPACE = tiny_space()
DEVICE = get_device("cpu")


def _table(space: object = None, device: Device = DEVICE) -> LatencyTable:
    part = SPACE if space is None else space
    rows = [
        Row(key, ns / 1e6, ns / 2e6, ns / 5e5, 12, part.layers()[key].macs)  # type: ignore[attr-defined]
        for key, ns in costs(part).items()  # type: ignore[arg-type]
    ]
    facts = {"anchor": {"arch": SPACE.decode(np.zeros(5, dtype=np.int16)), "median_ms": 2.5}}
    return LatencyTable.of(device, rows, {"tiny": facts})


def test_cost_is_the_sum_over_layers() -> None:
    cost = _table().cost(SPACE)
    rows = SPACE.sample(50, np.random.default_rng(0))
    expected = [sum(costs(SPACE)[layer.key] for _, layer in SPACE.network(row)) / 1e6 for row in rows]
    np.testing.assert_allclose(cost(rows), expected)


def test_a_row_bound_to_a_resolution_holds_only_there() -> None:
    table = _table()
    bound = Row("head-16", 100.0, 100.0, 100.0, 1, 1, "r=16")
    cost = LatencyTable.of(DEVICE, [*table.rows.values(), bound]).cost(SPACE)
    for row in SPACE.sample(20, np.random.default_rng(0)):
        at_16 = SPACE.decode(row)["r"] == 16
        assert (cost(row[None])[0] > 90) == at_16
    without = [row for row in table.rows.values() if row.key != "head-16"]
    with pytest.raises(TableError, match="no row for head-16 "):
        LatencyTable.of(DEVICE, [*without, replace(bound, context="r=8")]).cost(SPACE)


def test_missing_rows_are_named_with_the_command_that_fills_them() -> None:
    table = _table(SPACE.restrict(r=8))
    with pytest.raises(TableError) as error:
        table.cost(SPACE.restrict(r=16))
    assert str(error.value) == (
        f"latency table {DEVICE.id}: it has no row for first-16-w4 and 6 more of the 7 layers of tiny; "
        "fill them: hwnas profile --device cpu --threads 1 --batch 1 --space tiny --fix r=16"
    )
    assert table.covered(SPACE).size() == SPACE.restrict(r=8).size()
    with pytest.raises(TableError, match="first-16-w4"):
        table.covered(SPACE.restrict(r=16))


def test_an_imported_table_cannot_be_filled_by_profiling() -> None:
    phone = Device("phone", "", threads=0, hardware=Hardware("phone"))
    with pytest.raises(TableError, match=r"latency table phone: .*; keep to what it covers with --fix"):
        _table(SPACE.restrict(r=8), phone).cost(SPACE)


def test_the_anchor_is_a_network_with_its_time() -> None:
    anchor = _table().anchor(SPACE.restrict(r=16))
    assert anchor is not None
    assert anchor.median_ms == 2.5
    assert anchor.network[0][1].key == "first-8-w4"
    assert LatencyTable(DEVICE, {}).anchor(SPACE) is None
    broken = LatencyTable.of(DEVICE, [], {"tiny": {"anchor": {"arch": {"w": "x"}, "median_ms": 2}}})
    with pytest.raises(TableError, match="its anchor is damaged"):
        broken.anchor(SPACE)


finite = st.floats(0, 1e4, allow_nan=False)
keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(
        st.tuples(st.sampled_from(PRECISIONS), keys, st.sampled_from(["", "r=8"])),
        st.tuples(finite, st.integers(0, 10**9)),
    )
)
def test_files_hold_what_was_saved(values: dict[tuple[str, str, str], tuple[float, int]], tmp_path: Path) -> None:
    rows = {(p, k, c): Row(k, ms, ms / 2, ms * 2, n, n + 1, c, p) for (p, k, c), (ms, n) in values.items()}
    profiles = {"fp32": {"tiny": {"a": 1}}, "int8": {"tiny": {"a": 2}}}
    saved = LatencyTable(DEVICE, rows, profiles).save(tmp_path / "t")
    again = LatencyTable.load(tmp_path / "t")
    assert list(again.rows) == list(rows)
    assert again.profiles == profiles
    assert again.device == DEVICE
    assert saved.path == again.path == tmp_path / "t"
    for key, row in again.rows.items():
        assert row.median_ms == pytest.approx(rows[key].median_ms, rel=1e-5)
        assert (row.runs, row.macs) == (rows[key].runs, rows[key].macs)


def _csv(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "table.csv"
        path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")

    return damage


def _json(**changes: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "device.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def _cell(column: int, text: str) -> Callable[[Path], None]:
    def change(lines: list[str]) -> list[str]:
        cells = lines[1].split(",")
        cells[column] = text
        return [lines[0], ",".join(cells), *lines[2:]]

    return _csv(change)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_json(schema=99), "its schema is 99, this version of hwnas reads 1 and 2; profile again"),
        (_json(schema=None), "its schema is None"),
        (_json(profiles=[]), "it does not describe its spaces"),
        (_json(profiles={"fp32": {"tiny": 3}}), "json: it does not describe its spaces"),
        (_json(device=None), "its device: it is not described as expected"),
        (_json(device=[1]), "expected .'list' object has no attribute 'items'.; profile again"),
        (_json(device={"name": 3}), "its device: it is not described as expected .*hardware"),
        (_json(rows=3), "it holds 14 rows, device.json says 3: one of them is cut short"),
        (lambda f: (f / "device.json").unlink(), "it has no device.json"),
        (lambda f: (f / "device.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "device.json").write_text("[1]"), "holds no JSON object"),
        (lambda f: (f / "table.csv").unlink(), "it has no table.csv"),
        (lambda f: (f / "table.csv").write_text(""), "its columns are key,.*, not nothing"),
        (lambda f: (f / "table.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00"), "cannot be read as CSV"),
        (_csv(lambda lines: lines[:-2]), "it holds 12 rows, device.json says 14"),
        (_csv(lambda lines: [*lines[:-1], lines[-1].rsplit(",", 3)[0]]), "line 15: it has 5 of 8 values"),
        (_csv(lambda lines: [*lines, lines[3]]), "line 16: first-8-w16 is there twice in fp32; delete one"),
        (_csv(lambda lines: ["a,b", *lines]), "not a,b"),
        (_cell(1, "nan"), "line 2, median_ms = 'nan': it cannot be a latency"),
        (_cell(1, "-1.5"), "line 2, .*median_ms = -1.5, .*: they are not in order"),
        (_cell(2, "inf"), "p10_ms = 'inf': it cannot be a latency"),
        (_cell(3, "fast"), "p90_ms = 'fast': it cannot be a latency"),
        (_cell(4, "1.5"), "runs = '1.5': it cannot be a count"),
        (_cell(5, "-3"), "macs = '-3': it cannot be a count"),
        (_cell(0, ""), "its key is empty"),
        (_cell(7, "int3"), "line 2: its precision is 'int3', not fp32, fp16, int8, int4"),
    ],
)
def test_a_damaged_table_is_one_line(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    _table().save(tmp_path / "t")
    damage(tmp_path / "t")
    with pytest.raises(TableError, match=message) as error:
        LatencyTable.load(tmp_path / "t")
    assert "\n" not in str(error.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_make_the_loader_fail_otherwise(data: st.DataObject, tmp_path: Path) -> None:
    if not (tmp_path / "t").exists():
        _table().save(tmp_path / "t")
    path = tmp_path / "t" / data.draw(st.sampled_from(["table.csv", "device.json"]))
    good = path.read_bytes()
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, len(good)))
    path.write_bytes(good[:start] + data.draw(st.binary(max_size=12)) + good[end:])
    try:
        with suppress(TableError):
            table = LatencyTable.load(tmp_path / "t")
            assert all(math.isfinite(row.median_ms) and row.median_ms >= 0 for row in table.rows.values())
            assert table.device.id
    finally:
        path.write_bytes(good)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_json_makes_a_device_fail_otherwise(data: st.DataObject) -> None:
    described = DEVICE.to_json()
    for name in data.draw(st.sets(st.sampled_from(sorted(described)), min_size=1)):
        described[name] = data.draw(json_values)
    with suppress(TableError):
        device = Device.from_json(described)
        assert device.id
        assert device.differences(DEVICE) is not None


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        _table().save(tmp_path / "file" / "t")


def test_joining_tables_of_other_conditions_is_refused() -> None:
    with pytest.raises(HwnasError, match="threads 1, here 2"):
        _table().joined(LatencyTable(Device("cpu", "CPUExecutionProvider", threads=2, hardware=DEVICE.hardware), {}))
