"""Files that commands are given, found and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwnas import latency
from hwnas.errors import DataError, TableError
from hwnas.latency import LatencyTable, Row, Trust, get_device
from hwnas.metric import get_metric
from hwnas.predictor import new_predictor, save_predictor
from hwnas.space import get_space
from hwnas.study import _table
from hwnas.study._predictor import find_predictor
from hwnas.study._table import find_table

DIGITS = get_space("digits").restrict(r=8)
CPU = get_device("cpu")


def test_a_predictor_may_tell_another_metric(tmp_path):
    space = get_space("digits")
    rng = np.random.default_rng(0)
    predictor = new_predictor("additive", space).fit(space.sample(40, rng), rng.normal(size=40))
    save_predictor(predictor, tmp_path / "top1.safetensors")
    found = find_predictor(space, str(tmp_path / "top1.safetensors"))
    assert found is not None
    assert found.it.card.as_metric() == get_metric("top1")
    predictor.card = replace(predictor.card, metric="energy_mj")
    with pytest.raises(DataError, match="write energy_mj:max or energy_mj:min"):
        predictor.card.as_metric()
    predictor.card = replace(predictor.card, direction="min")
    save_predictor(predictor, tmp_path / "energy.safetensors")
    found = find_predictor(space, str(tmp_path / "energy.safetensors"))
    assert found is not None
    assert found.it.card.as_metric() == get_metric("energy_mj", "min")


def saved(folder: Path, device: latency.Device = CPU) -> LatencyTable:
    rows = [Row(key, 1.0, 1.0, 1.0, 1, layer.macs) for key, layer in DIGITS.layers().items()]
    return LatencyTable.of(device, rows, {"digits": {"fingerprint": DIGITS.fingerprint}}).save(folder)


def found(device: str, *, as_is: bool = False) -> tuple[Path | None, str]:
    told = find_table(DIGITS, device, as_is=as_is)
    return told.it.path, told.facts["trust"]["verdict"]


@pytest.fixture
def unlike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    """An empty folder, and a machine that no table fits; tells what was profiled."""
    made: list[Path] = []

    def profiled(device: latency.Device, *_: object) -> LatencyTable:
        made.append(tmp_path / "latency_tables" / device.id)
        return saved(made[-1], device)

    def judged(*_: object, table: LatencyTable | None = None, **__: object) -> Trust | None:
        near = table or next((LatencyTable.load(path) for path in latency.table_paths()), None)
        return None if near is None else Trust("unlike", near, f"latency table {near.name} does not fit this machine")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hwnas.latency.table._find.table_folders", lambda: [*tmp_path.glob("latency_tables")])
    monkeypatch.setattr(latency, "trusted", judged)
    monkeypatch.setattr(_table, "profiled", profiled)
    return lambda: made


def test_a_device_whose_table_does_not_fit_is_profiled_and_the_way_out_is_told(
    unlike: Callable[[], list[Path]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = saved(tmp_path / "latency_tables" / CPU.id).path
    with caplog.at_level("INFO", "hwnas"):
        assert found("cpu") == (own, "unlike")
        assert unlike() == [own]
        assert "does not fit this machine; so the device is profiled (--as-is uses it all the same)" in caplog.text
        assert found("cpu", as_is=True) == (own, "as is")
        assert unlike() == [own]


def test_the_table_of_another_machine_is_named_where_it_does_not_fit(
    unlike: Callable[[], list[Path]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(CPU, hardware=latency.Hardware("Another CPU"))
    theirs = saved(tmp_path / "latency_tables" / other.id, other).path
    with caplog.at_level("INFO", "hwnas"):
        found("cpu")
    assert len(unlike()) == 1
    assert f"so the device is profiled (--device {other.id} names it all the same)" in caplog.text
    assert found(other.id) == (theirs, "as is")


def test_nothing_is_profiled_in_place_of_a_table_that_was_named(
    unlike: Callable[[], list[Path]], tmp_path: Path
) -> None:
    own = saved(tmp_path / "mine").path
    with pytest.raises(TableError) as caught:
        found("mine")
    assert str(caught.value) == (
        "device mine: latency table mine does not fit this machine; "
        "pass --as-is to use it all the same, or --device cpu --threads 1 --batch 1 to profile this machine"
    )
    assert unlike() == []
    assert found("mine", as_is=True) == (own and own.relative_to(tmp_path), "as is")


def test_a_folder_that_is_called_like_a_device_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cpu").mkdir()
    own = saved(tmp_path / "latency_tables" / CPU.id).path
    assert found("cpu") == (own, "holds")
    with pytest.raises(TableError, match=r"cpu: it has no \.yaml"):
        found("./cpu")
    saved(tmp_path / "cpu")
    assert found("./cpu") == (Path("cpu"), "holds")
    assert found("cpu") == (own, "holds")
