"""A search on a device without a table profiles one first, and tells so."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hwnas import latency
from hwnas.latency import LatencyTable, Row
from hwnas.space import SearchSpace, get_space
from hwnas.study._space import open_space
from tests.conftest import REPOSITORY
from tests.convolutional import exported, initialised, resnet
from tests.e2e.conftest import MS_PER_MAC, Hwnas
from tests.supernet.hf.decoder.conftest import save

QUICK = ("--searcher", "random", "--population", 40, "--generations", 2)


@dataclass
class FakeProfile:
    """In place of the measurement: latency in proportion to MACs, and what was asked for."""

    interrupted: bool = False
    calls: list[SearchSpace] = field(default_factory=list)

    def __call__(
        self,
        device: latency.Device,
        space: SearchSpace,
        folder: Path,
        progress: Callable[[int, int, str], None],
        **_: Any,
    ) -> LatencyTable:
        self.calls.append(space)
        progress(1, 2, "covering subnets")
        if self.interrupted:
            raise KeyboardInterrupt
        rows = []
        for layer in space.layers().values():
            ms = layer.macs * MS_PER_MAC
            rows.append(Row(layer.key, ms, ms, ms, 1, layer.macs))
        return LatencyTable.of(device, rows, {space.name: {"fingerprint": space.fingerprint}}).save(folder)


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch, folder: Path) -> FakeProfile:
    """A machine without tables of its own, on which profiling takes no time."""
    fake = FakeProfile()
    monkeypatch.setattr(latency, "profile", fake)
    monkeypatch.setattr("hwnas.latency.table._find.table_folders", lambda: [folder / "latency_tables"])
    (folder / "latency_tables").mkdir()
    return fake


def test_a_missing_table_is_profiled_once_and_kept(hwnas: Hwnas, measuring: FakeProfile, predictor: Path) -> None:
    first = hwnas("search", "--latency", "9ms", "--predictor", predictor, *QUICK)
    assert first.code == 0, first.err
    assert "no latency table of" in first.err
    assert "r=160, 192, 224" in first.err
    [table] = Path("latency_tables").iterdir()
    assert table.name.endswith("cpu-t1-b1")
    written = pd.read_csv("pareto.csv")
    second = hwnas("search", "--latency", "9ms", "--predictor", predictor, *QUICK)
    assert "no latency table of" not in second.err
    assert len(measuring.calls) == 1
    pd.testing.assert_frame_equal(pd.read_csv("pareto.csv"), written)


def test_the_resolutions_asked_for_are_profiled(hwnas: Hwnas, measuring: FakeProfile, predictor: Path) -> None:
    assert hwnas("search", "--fix", "r=128", "--predictor", predictor, *QUICK).code == 0
    [space] = measuring.calls
    assert [space.genes[-1].choices[i] for i in space.domain[-1]] == [128]


def test_ctrl_c_while_profiling_says_what_is_kept(hwnas: Hwnas, measuring: FakeProfile, predictor: Path) -> None:
    measuring.interrupted = True
    ran = hwnas("search", "--latency", "9ms", "--predictor", predictor, *QUICK)
    assert ran.code == 130
    assert "the same command resumes" in ran.err.splitlines()[-1]
    assert not Path("pareto.csv").exists()


def test_nothing_is_profiled_for_a_budget_that_cannot_be_met(hwnas: Hwnas, measuring: FakeProfile) -> None:
    assert hwnas("search", "--latency", "20").code == 2
    assert hwnas("search", "--params", "1k").code == 2
    assert not measuring.calls


@pytest.mark.checks_tables
@pytest.mark.clock
def test_a_table_is_checked_by_really_measuring(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Whatever this machine says of it now, the search ends with a table that the provenance accounts for."""
    space = get_space("digits").restrict(r=8)
    device = latency.get_device("cpu")
    # A millionth of a millisecond per layer: no machine is that fast, so the table cannot hold.
    rows = [Row(key, 1e-6, 1e-6, 1e-6, 1, layer.macs) for key, layer in space.layers().items()]
    about = {"digits": {"fingerprint": space.fingerprint}}
    LatencyTable.of(device, rows, about).save(folder / "latency_tables" / device.id)
    profiled = FakeProfile()
    monkeypatch.setattr(latency, "profile", profiled)
    ran = hwnas(
        "search", "--space", "digits", "--objectives", "latency,macs", "--device", "cpu", "--fix", "r=8", *QUICK
    )
    assert ran.code == 0
    trust = json.loads((folder / "pareto.json").read_text())["device"]["trust"]
    assert trust["found"] in ran.err
    assert (trust["verdict"] == "unlike") == bool(profiled.calls)
    if trust["verdict"] == "busy":
        assert "is used as it is, unchecked" in ran.err
    else:
        assert trust["verdict"] in ("unlike", "adapted")
        assert (pd.read_csv(folder / "pareto.csv")["latency_ms"] > 1e-4).all()


def test_where_no_table_can_be_kept_the_remedy_is_one_that_can_be_typed(
    hwnas: Hwnas, measuring: FakeProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "machine_load", lambda *_: latency.Load())
    here = latency.get_device("cpu")
    Path("latency_tables", here.id).touch()  # as good as a folder that cannot be written, which root can
    search = ("search", "--space", "digits", "--objectives", "latency,macs", *QUICK)
    ran = hwnas(*search)
    assert (ran.code, measuring.calls) == (2, [])
    told = re.fullmatch(
        rf"error: latency table latency_tables/{here.id}: it cannot be written \(.*\); work in another folder, or make one "
        r"elsewhere: hwnas (profile .*), and name it: (--device FOLDER/\S+)",
        ran.err.strip().splitlines()[-1],
    )
    assert told is not None, ran.err
    profiled = hwnas(*told[1].replace("FOLDER", "mine").split())
    assert profiled.code == 0, profiled.err
    monkeypatch.setattr(latency, "misfits", lambda _: ["made up"])  # no check by the clock
    ran = hwnas(*search, *told[2].replace("FOLDER", "mine").split())
    assert ran.code == 0, ran.err


def test_a_busy_machine_is_not_profiled(
    hwnas: Hwnas, measuring: FakeProfile, predictor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "machine_load", lambda *_: latency.Load(waited_pct=62.0, repeat_pct=1.0))
    ran = hwnas("search", "--latency", "9ms", "--predictor", predictor, *QUICK)
    assert ran.code == 2
    assert "too busy to make one: 62 % of runs waited for a core (up to 20 % is usual)" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not measuring.calls
    assert not Path("pareto.csv").exists()


@pytest.mark.parametrize("kind", ["hf:m", "mine.onnx", "own.py:own_space", "small.json"])
def test_what_fills_a_table_names_the_space_as_it_was_typed(
    hwnas: Hwnas, measuring: FakeProfile, folder: Path, kind: str
) -> None:
    _write(hwnas, kind)
    here = latency.get_device("cpu")
    LatencyTable.of(here, [Row("another", 1.0, 1.0, 1.0, 1, 1)]).save(folder / "latency_tables" / here.id)
    search = ("search", "--space", kind, "--device", here.id, "--as-is", "--objectives", "macs,latency", *QUICK)
    refused = hwnas(*search)
    assert refused.code == 2
    command = refused.err.splitlines()[-1].split("; fill them: hwnas ")[1]
    assert f"--space {kind}" in command
    filled = hwnas(*shlex.split(command))
    assert filled.code == 0, filled.err
    assert [space.name for space in measuring.calls] == [open_space(kind).name]
    assert hwnas(*search).code == 0


def test_a_decoder_is_profiled_at_any_length_that_it_has_positions_for(hwnas: Hwnas, measuring: FakeProfile) -> None:
    save(Path("m"), "llama")
    ran = hwnas("profile", "--space", "hf:m", "--fix", "l=30", "--fix", "p=0")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[-1] == "next: hwnas library build --model hf:m --data TEXT --device cpu --prompt 30"
    ran = hwnas("profile", "--bundle", "b.zip", "--space", "hf:m", "--fix", "l=30", "--fix", "p=0", "--subnets", 2)
    assert ran.out.endswith("hwnas profile --import board.csv --device NAME --space hf:m --fix l=30 --fix p=0\n")
    ran = hwnas("profile", "--space", "hf:m", "--fix", "l=1", "--fix", "p=21,30", "--fix", "a=0,2")
    assert ran.code == 0, ran.err
    assert [space.input_values for space in measuring.calls] == [{"l": [30], "p": [0]}, {"l": [1], "p": [21, 30]}]
    for fixes, complaint in (
        (("l=65", "p=0"), "64 positions; give 64, or less"),
        (("l=1", "p=64"), "one of them for the token that is written; give 63, or less"),
        (("l=0", "p=0"), "fix l=0: choices of l in"),
        (("l=30,x", "p=0"), "choices of l in"),
    ):
        ran = hwnas("profile", "--space", "hf:m", *(word for fix in fixes for word in ("--fix", fix)))
        assert (ran.code, len(ran.err.splitlines()), complaint in ran.err) == (2, 1, True), ran.err
    assert "choices of r" in hwnas("profile", "--space", "digits", "--fix", "r=9").err


def _write(hwnas: Hwnas, reference: str) -> None:
    """What a reference leads to, in the working folder."""
    if reference == "hf:m":
        save(Path("m"), "llama")
    elif reference == "mine.onnx":
        exported(initialised(resnet((1, 2), 8, bottleneck=False)), Path(reference), fold=False, size=32)
    elif reference == "small.json":
        options = ("--space", "digits", "--objectives", "macs:max,params", "--fix", "d=1", "--fix", "e=2,4")
        assert hwnas("space", "shrink", *options, "--out", reference).code == 0
    else:
        Path("own.py").write_text((REPOSITORY / "examples" / "own_supernet.py").read_text())


def test_too_many_objectives_are_refused_before_a_table_is_made(hwnas: Hwnas, measuring: FakeProfile) -> None:
    ran = hwnas("search", "--space", "digits", "--objectives", "macs:max,params,size,memory,latency")
    assert (ran.code, ran.err.rpartition(": ")[2]) == (2, "a search has one to 4; make the rest budgets\n")
    assert not measuring.calls
