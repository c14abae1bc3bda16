"""``hwnas measure``: predicted beside measured, rows that break the budget, resume, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.latency import Load
from tests.e2e.conftest import Hwnas
from tests.e2e.machine import SPACE, fake_runtime, ms_of, save_front, save_table, true_ns

X = np.unique(SPACE.sample(12, np.random.default_rng(5)), axis=0)


def front_of(predicted: dict[str, int], budget_ms: float | None) -> None:
    save_front(X, ms_of(X, predicted), budget_ms, save_table(predicted))


def archs(frame: pd.DataFrame) -> np.ndarray:
    return SPACE.encode_many([json.loads(cell) for cell in frame["arch"]])


def test_measured_latency_beside_the_prediction(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch) -> None:
    predicted, truth = true_ns(), {key: round(1.04 * ns) for key, ns in true_ns().items()}
    truth_ms = np.sort(ms_of(X, truth))
    budget = float(truth_ms[-3] + truth_ms[-4]) / 2
    front_of(predicted, budget)
    before = pd.read_csv("pareto.csv")
    before.insert(1, "note", [f"007-{i}" for i in range(len(X))])
    before.to_csv("pareto.csv", index=False)
    fake_runtime(monkeypatch, truth)

    ran = hwnas("measure", "pareto.csv")
    assert ran.code == 1, ran.err
    frame = pd.read_csv("pareto.csv")
    speeds = ["latency_at_table_speed_ms", "speed_pct"]
    added = ["latency_measured_ms", "latency_p95_ms", *speeds, "latency_error_pct", "within_budget"]
    assert list(frame.columns) == ["row", "note", "top1", "latency_ms", *added, "macs", "arch"]
    pd.testing.assert_frame_equal(frame.drop(columns=added), before)
    np.testing.assert_allclose(frame["latency_measured_ms"], ms_of(archs(frame), truth), rtol=1e-5)
    np.testing.assert_allclose(frame["latency_error_pct"], 100 * (1 / 1.04 - 1), atol=2e-3)
    np.testing.assert_allclose(frame["latency_at_table_speed_ms"], frame["latency_ms"], rtol=1e-4)
    np.testing.assert_allclose(frame["speed_pct"], 100 / 1.04, atol=0.1)
    assert frame["within_budget"].tolist() == (frame["latency_measured_ms"] <= budget).tolist()
    assert f"{len(X) - 3} of {len(X)} subnets hold the budget of {budget:g} ms" in ran.out
    assert "MAPE 3.85 %" in ran.out
    best = int(frame["row"][frame["within_budget"]].iloc[0])
    assert f"hwnas export pareto.csv --row {best}" in ran.out
    assert "NO" in ran.out
    assert json.loads(Path("pareto.json").read_text())["measured"]["subnets"] == len(X)
    assert Path("pareto.png").read_bytes().startswith(b"\x89PNG")
    assert not list(Path().glob("*.jsonl"))
    assert hwnas("report", "pareto.csv", "--html").code == 0


def test_rows_a_budget_and_another_file(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch) -> None:
    ns = true_ns()
    front_of(ns, None)
    original = Path("pareto.csv").read_bytes()
    fake_runtime(monkeypatch, ns)
    ran = hwnas("measure", "pareto.csv", "--rows", "2,4-5", "--budget", "1s", "--out", "m.csv", "--json")
    assert ran.code == 0, ran.err
    assert Path("pareto.csv").read_bytes() == original
    frame = pd.read_csv("m.csv")
    assert frame["row"][frame["latency_measured_ms"].notna()].tolist() == [2, 4, 5]
    assert frame["within_budget"].tolist()[1] is True
    told = json.loads(ran.out, parse_constant=pytest.fail)["front"]  # no NaN, which JSON does not have
    assert told[0]["latency_measured_ms"] is None
    assert told[1]["latency_measured_ms"] > 0
    first = frame["latency_measured_ms"][1]
    ran = hwnas("measure", "m.csv", "--rows", "1")
    assert ran.code == 0, ran.err
    frame = pd.read_csv("m.csv")
    assert frame["row"][frame["latency_measured_ms"].notna()].tolist() == [1, 2, 4, 5]
    assert frame["latency_measured_ms"][1] == first
    assert hwnas("report", "m.csv").code == 0


@pytest.mark.parametrize("budget", [None, 0.5, 1.5])
def test_what_a_busy_machine_measured_leads_to_no_next_step(
    budget: float | None, hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch
) -> None:
    ns = true_ns()
    front_of(ns, None if budget is None else budget * float(np.median(ms_of(X, ns))))
    fake_runtime(monkeypatch, ns)
    monkeypatch.setattr(Load, "busy", True)
    ran = hwnas("measure", "pareto.csv")
    assert ran.code == 2
    assert "MAPE" in ran.out
    assert ("hold the budget" in ran.out) is (budget is not None)
    assert "hwnas export" not in ran.out
    assert "hwnas search" not in ran.out


@pytest.mark.clock
def test_on_this_machine_for_real(hwnas: Hwnas) -> None:
    save_front(X[:3], np.full(3, 0.05), None)
    ran = hwnas("measure", "pareto.csv", "--threads", "1")
    if ran.code == 2:  # the files are written all the same
        assert "measurements in pareto.csv: this machine was too busy for reliable times" in ran.err
    else:
        assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    assert (frame["latency_measured_ms"] > 0).all()
    assert (frame["latency_p95_ms"] >= 0.9 * frame["latency_measured_ms"]).all()


def test_killed_and_resumed(hwnas: Hwnas, folder: Path) -> None:
    x = np.unique(SPACE.sample(11, np.random.default_rng(6)), axis=0)
    save_front(x, np.full(len(x), 0.05), None)
    original, journal = Path("pareto.csv").read_bytes(), folder / "pareto.csv.measure.jsonl"
    code = "from hwnas.cli import main; main(['measure', 'pareto.csv'])"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 4):
            time.sleep(0.005)
        process.kill()
    assert Path("pareto.csv").read_bytes() == original
    kept = [json.loads(line) for line in journal.read_bytes().split(b"\n")[1:-1]]
    assert len(kept) >= 4
    assert hwnas("measure", "pareto.csv").code == 0
    frame = pd.read_csv("pareto.csv")
    assert frame["latency_measured_ms"].notna().all()
    assert not journal.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pareto.csv", "--rows", "40"), "--rows 40: pareto.csv has rows 1 to"),
        (("pareto.csv", "--rows", "a-b"), "--rows a-b: it reads 1,4-8"),
        (("pareto.csv", "--rows", "4-2"), "--rows 4-2: the range ends before it begins; write --rows 2-4"),
        (("pareto.csv", "--rows", "2-999999"), "--rows 2-999999: pareto.csv has rows 1 to"),
        (("pareto.csv", "--budget", "20"), "--budget 20"),
        (("pareto.csv", "--device", "cpux"), "did you mean 'cpu'?"),
        (
            ("pareto.csv", "--device", "a-board"),
            "; or measure on another machine: hwnas measure PARETO.csv --device ssh:",
        ),
        (("pareto.csv", "--threads", "4096"), "4096 threads"),
        (("none.csv",), "none.csv: it cannot be read"),
        (("pareto.json",), "file pareto.json: it is JSON, and a table is a CSV; pass pareto.csv"),
        (("pareto.csv", "--out", "front.txt"), "the front is a CSV"),
        (("pareto.csv", "--space", "ofa_resnet50"), "says that its subnets are of digits; drop --space"),
        (("pareto.csv", "--device", "tensorrt"), "install onnxruntime-gpu"),
    ],
)
def test_bad_input_is_one_line(hwnas: Hwnas, arguments: tuple[str, ...], message: str) -> None:
    front_of(true_ns(), 1.0)
    original = Path("pareto.csv").read_bytes()
    ran = hwnas("measure", *arguments)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert message in ran.err
    assert Path("pareto.csv").read_bytes() == original
    assert not list(Path().glob("*.jsonl"))


def test_without_provenance_the_space_is_asked_for(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch) -> None:
    ns = true_ns()
    front_of(ns, None)
    fake_runtime(monkeypatch, ns)
    Path("pareto.json").unlink()
    ran = hwnas("measure", "pareto.csv")
    assert (ran.code, ran.err) == (2, "error: file pareto.csv: no JSON beside it names its space; pass --space NAME\n")
    ran = hwnas("measure", "pareto.csv", "--space", "digits", "--threads", "1", "--rows", "2")
    assert ran.code == 0, ran.err
    told = ran.out.rpartition("next: ")[2].strip()
    assert told == "hwnas export pareto.csv --row 2 --supernet digits --device cpu --threads 1"
    assert hwnas(*told.split()[1:]).code == 0


def test_an_export_is_told_with_the_weights_and_data_of_the_search(
    hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch
) -> None:
    front_of(true_ns(), 1000.0)
    fake_runtime(monkeypatch, true_ns())
    of_weights = "--checkpoint 'my own.pth' --data=photos"
    facts = json.loads(Path("pareto.json").read_text())
    facts["command"] = f"hwnas search --evaluate {of_weights} --evals 9 --out pareto.csv"
    Path("pareto.json").write_text(json.dumps(facts))
    ran = hwnas("measure", "pareto.csv", "--rows", "1")
    assert f"next: hwnas export pareto.csv --row 1 {of_weights} --device cpu    (the most accurate" in ran.out


def test_an_exported_file_is_measured_against_the_budget(hwnas: Hwnas) -> None:
    save_front(X[:2], np.full(2, 0.05), 5000.0)
    ran = hwnas("export", "pareto.csv", "--row", "1", "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "holds the budget of 5000 ms" in ran.err
    ran = hwnas("export", "pareto.csv", "--row", "1", "--device", "cpu", "--budget", "0.0001ms")
    assert ran.code == 1
    assert "BREAKS the budget of 0.0001 ms" in ran.err
    ran = hwnas("export", "pareto.csv", "--row", "1", "--budget", "5ms")
    assert (ran.code, ran.err) == (2, "error: budget 5: nothing is measured without a device; pass --device cpu\n")
    ran = hwnas("export", "pareto.csv", "--row", "1", "--device", "cpux")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
