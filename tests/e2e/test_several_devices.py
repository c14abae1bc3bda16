"""``profile`` and ``measure`` on several devices, by an ``ssh`` that logs in to folders of this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas import latency
from hwnas.latency import Load
from hwnas.latency.boards import _bundle, _result
from tests.e2e.conftest import Hwnas
from tests.e2e.machine import SPACE, fake_runtime, ms_of, save_front, save_table, true_ns

SSH = """#!/bin/sh
while [ $# -gt 2 ]; do shift; done
host="${1#*@}"
case "$host" in down*) echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255 ;; esac
mkdir -p "HOMES/$host" && cd "HOMES/$host" && exec sh -c "$2"
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script plays ssh")


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders that are home on machines of their names; little is measured, and no machine is busy."""
    homes = tmp_path / "homes"
    script = tmp_path / "bin" / "ssh"
    script.parent.mkdir()
    script.write_text(SSH.replace("HOMES", str(homes)))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(_bundle, "ROUNDS", (2, 2))
    monkeypatch.setattr(_result, "DRIFT", 1e9)
    monkeypatch.setattr(Load, "busy", False)
    return homes


def test_profiles_of_several_machines(hwnas: Hwnas, homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = latency.Plan(times=1, sessions=1, n_calibration=2, n_validation=5)
    monkeypatch.setattr(latency, "Plan", lambda seed: dataclasses.replace(small, seed=seed))
    devices = ("--device", "ssh://down", "--device", "ssh://pi@kitchen")
    ran = hwnas("profile", "--space", "digits", "--fix", "r=8", *devices, "--python", sys.executable)
    assert ran.code == 1, ran.err
    (folder,) = Path("latency_tables").iterdir()
    assert folder.name.startswith("kitchen-")
    assert f"latency table {folder}" in ran.out
    assert ran.err.splitlines()[-1].startswith("error: device ssh://down: ssh fails: ssh: connect to host down port 22")
    assert not list((homes / "kitchen").iterdir())
    ran = hwnas("profile", "--space", "digits", "--fix", "r=8", *devices[:2], "--device", "ssh://down2")
    assert (ran.code, ran.out) == (2, "")
    assert [line.split(" ssh fails")[0] for line in ran.err.splitlines()[-2:]] == [
        "error: device ssh://down:",
        "error: device ssh://down2:",
    ]


def test_a_front_measured_on_several_machines(hwnas: Hwnas, homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ns, x = true_ns(), np.unique(SPACE.sample(4, np.random.default_rng(5)), axis=0)
    save_front(x, ms_of(x, ns), 1e4, save_table(ns))
    fake_runtime(monkeypatch, ns)
    devices = ("--device", "cpu", "--device", "ssh://down", "--device", "ssh://pi@kitchen:2222")
    ran = hwnas("measure", "pareto.csv", *devices, "--python", sys.executable, "--budget", "1s")
    assert ran.code == 1, ran.err
    assert ran.err.splitlines()[-1].startswith("error: device ssh://down: ssh fails: ")
    frame = pd.read_csv("pareto.csv")
    added = ["latency_measured_ms@kitchen-2222", "latency_p95_ms@kitchen-2222", "within_budget@kitchen-2222"]
    assert [name for name in frame.columns if "@" in name] == added
    assert list(frame.columns).index("within_budget") + 1 == list(frame.columns).index(added[0])
    np.testing.assert_allclose(frame["latency_measured_ms"], frame["latency_ms"], rtol=1e-4)
    assert (frame["latency_measured_ms@kitchen-2222"] > 0).all()
    assert frame[added[2]].all()
    assert f"kitchen-2222: {len(x)} subnets measured on " in ran.out
    facts = json.loads(Path("pareto.json").read_text())
    assert facts["measured"]["device"] == latency.get_device("cpu").id
    assert facts["measured"]["others"]["kitchen-2222"]["subnets"] == len(x)
    assert facts["budgets"] == {"latency_ms": 1000.0, "latency_ms@kitchen-2222": 1000.0}
    assert not list((homes / "kitchen").iterdir())
    assert {path.suffix for path in Path().iterdir() if path.is_file()} == {".csv", ".json", ".png"}
    before = Path("pareto.csv").read_bytes()
    ran = hwnas("measure", "pareto.csv", "--device", "ssh://down", "--device", "ssh://down2")
    assert ran.code == 2
    assert Path("pareto.csv").read_bytes() == before
    assert hwnas("measure", "pareto.csv").code == 0
    again = json.loads(Path("pareto.json").read_text())["measured"]
    assert again["others"] == facts["measured"]["others"]  # their columns are there still
    assert hwnas("report", "pareto.csv", "--html").code == 0


def test_predictions_for_other_conditions_than_another_machine_has_are_named(
    hwnas: Hwnas, homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ns, x = true_ns(), np.unique(SPACE.sample(2, np.random.default_rng(5)), axis=0)
    save_front(x, ms_of(x, ns), 1e4, save_table(ns))
    fake_runtime(monkeypatch, ns)
    there = ("--device", "ssh://pi@kitchen", "--python", sys.executable, "--threads", 2)
    ran = hwnas("measure", "pareto.csv", *there)
    assert ran.code == 0, ran.err
    assert "latency_ms is predicted for " in ran.err
    assert "t2-b1: the error compares the two" in ran.err
    assert (homes / "kitchen").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--device", "cpu", "--device", "cpu"), "--device cpu: it is named twice; drop one of them"),
        (("--device", "ssh://a", "--device", "cpux"), "did you mean 'cpu'?"),
        (("--device", "cpu", "--device", "ssh://-x"), "it reads ssh://user@host"),
    ],
)
def test_bad_names_are_refused_before_anything_is_measured(args: tuple[str, ...], message: str, hwnas: Hwnas) -> None:
    x = SPACE.sample(2, np.random.default_rng(5))
    save_front(x, np.ones(2), None)
    two = ("--device", "ssh://a:2222", "--device", "ssh://me@a:2222")
    for command in (("profile", "--space", "digits"), ("measure", "pareto.csv")):
        ran = hwnas(*command, *args)
        assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
        assert message in ran.err
        assert (
            hwnas(*command, *two).err
            == "error: --device ssh://me@a:2222: another one is called a-2222 too; drop one of them\n"
        )
    for option in (("--check",), ("--bundle", "b.zip"), ("--import", "board.csv")):
        ran = hwnas("profile", "--space", "digits", "--device", "cpu", "--device", "ssh://a", *option)
        assert ran.err == f"error: {option[0]} with 2 devices: it takes one device; name one --device\n"
