"""``hwnas search --verify`` and ``--evaluate``: fronts by measurement, of latency and of accuracy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from hwnas.latency import Device
from hwnas.latency.timing._block import TOGETHER
from hwnas.predictor import GaussianProcess, new_predictor, save_predictor
from hwnas.report import non_dominated
from hwnas.space import macs_cost
from tests.e2e.conftest import Hwnas
from tests.e2e.machine import SPACE, fake_runtime, ms_of, save_table, true_ns
from tests.latency.fakes import FakeRuntime

QUICK = ("--searcher", "random", "--population", 200, "--generations", 3)


@pytest.fixture(scope="module")
def grows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor of digits that says more MACs are better."""
    x = np.unique(SPACE.sample(300, np.random.default_rng(0)), axis=0)
    path = tmp_path_factory.mktemp("predictor") / "grows.safetensors"
    save_predictor(new_predictor("ridge", SPACE).fit(x, 50 + 8 * np.log10(macs_cost(SPACE)(x))), path)
    return path


def archs(frame: pd.DataFrame) -> np.ndarray:
    return SPACE.encode_many([json.loads(cell) for cell in frame["arch"]])


def test_a_front_that_holds_by_measurement(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch, grows: Path) -> None:
    predicted, truth = true_ns(), true_ns(spread=0.15)
    save_table(predicted)
    runtimes = fake_runtime(monkeypatch, truth)
    ran = hwnas("search", "--space", "digits", "--predictor", grows, "--latency", "0.5ms", "--verify", *QUICK)
    assert ran.code == 0, ran.err
    assert "round 1: " in ran.err
    frame = pd.read_csv("pareto.csv")
    facts = json.loads(Path("pareto.json").read_text())
    assert 1 < len(facts["verified"]["rounds"]) == len(runtimes)
    first, last = facts["verified"]["rounds"][0], facts["verified"]["rounds"][-1]
    assert first["broke_the_budget"] > last["broke_the_budget"]
    assert last["adapted_error_pct"] < last["table_error_pct"]
    np.testing.assert_allclose(frame["latency_measured_ms"], ms_of(archs(frame), truth), rtol=1e-4)
    assert (frame["latency_measured_ms"] <= 0.5).all()
    assert frame["within_budget"].all()
    assert frame["latency_error_pct"].abs().mean() < first["table_error_pct"]
    assert non_dominated(frame[["top1", "latency_measured_ms"]].to_numpy(), [True, False]).all()
    # What --verify says holds, measure says too: both go by the clock.
    ran = hwnas("measure", "pareto.csv")
    assert ran.code == 0, ran.err
    assert pd.read_csv("pareto.csv")["within_budget"].all()
    assert not list(Path().glob("*.jsonl"))
    assert "hwnas measure" not in ran.out
    assert hwnas("measure", "pareto.csv").code == 0


def test_measuring_a_verified_front_goes_by_the_table_it_was_found_with(
    hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch, grows: Path
) -> None:
    """On a machine that is slower than its table, and beside a table of another speed."""
    predicted, truth = true_ns(), {key: round(1.3 * ns) for key, ns in true_ns(spread=0.05).items()}
    device = save_table(predicted)
    fake_runtime(monkeypatch, truth)
    ran = hwnas("search", "--space", "digits", "--predictor", grows, "--latency", "0.6ms", "--verify", *QUICK)
    assert ran.code == 0, ran.err
    verified = pd.read_csv("pareto.csv")
    facts = json.loads(Path("pareto.json").read_text())
    assert facts["device"]["method"] == "adapted"
    assert facts["device"]["prior"]["id"] == device.id
    np.testing.assert_allclose(verified["speed_pct"], 100, atol=3)
    assert verified["latency_error_pct"].abs().max() < 3
    assert (verified["latency_low_ms"] <= verified["latency_measured_ms"]).mean() > 0.8
    save_table({key: round(0.6 * ns) for key, ns in predicted.items()})
    ran = hwnas("measure", "pareto.csv")
    assert ran.code == 0, ran.err
    assert "latency table" not in ran.err
    measured = pd.read_csv("pareto.csv")
    same = ["latency_measured_ms", "latency_at_table_speed_ms", "speed_pct", "latency_error_pct"]
    pd.testing.assert_frame_equal(measured[same], verified[same], rtol=1e-3, atol=0.11)
    assert measured["within_budget"].all()


@pytest.mark.checks_tables
def test_a_killed_verification_goes_on_by_the_table_that_it_began_with(
    hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch, grows: Path
) -> None:
    """Although what adapted it counts for an hour, and the machine has another speed by then."""
    save_table(true_ns())
    truth = {key: round(1.3 * ns) for key, ns in true_ns().items()}
    journal = Path("pareto.csv.verify.jsonl")
    few = ("--searcher", "random", "--population", 30, "--generations", 2, "--fix", "r=8")
    options = ("search", "--space", "digits", "--predictor", grows, "--latency", "0.6ms", "--verify", *few)

    def dying(_: Device) -> FakeRuntime:
        return FakeRuntime(truth, stop_after=20_000 if journal.exists() else None)

    monkeypatch.setattr("hwnas.latency.profiling._whole.OnnxRuntime", dying)
    ran = hwnas(*options)
    assert ran.code == 130
    assert "is adapted" in ran.err
    kept = len(journal.read_text().splitlines()) - 1
    for path in Path(os.environ["XDG_CACHE_HOME"]).rglob("*.jsonl"):
        os.utime(path, (0, 0))
    later = fake_runtime(monkeypatch, {key: round(1.1 * ns) for key, ns in truth.items()})
    ran = hwnas(*options)
    assert ran.code == 0, ran.err
    assert "the unfinished run used it" in ran.err
    facts = json.loads(Path("pareto.json").read_text())
    left = 2 * facts["verified"]["rounds"][0]["measured"] - kept
    assert kept > 0
    assert len(later[0].opened) == left + -(-left // TOGETHER)  # each few of them beside the anchor
    assert facts["device"]["prior"]["path"] is None
    assert {path.name for path in Path().glob("pareto.*")} == {"pareto.csv", "pareto.json", "pareto.png"}


def test_a_table_that_is_right_is_left_alone(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch, grows: Path) -> None:
    ns = true_ns()
    save_table(ns)
    runtimes = fake_runtime(monkeypatch, ns)
    ran = hwnas("search", "--space", "digits", "--predictor", grows, "--latency", "0.6ms", "--verify", *QUICK)
    assert ran.code == 0, ran.err
    assert len(runtimes) == 1
    assert pd.read_csv("pareto.csv")["latency_error_pct"].abs().max() < 0.01


def test_only_the_main_device_is_verified_and_it_says_so(
    hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch, grows: Path
) -> None:
    ns = true_ns()
    (Path("latency_tables") / save_table(ns).id).rename("phone")
    here = save_table(ns)
    fake_runtime(monkeypatch, ns)
    both = ("--latency", "0.6ms", "--latency", "phone=0.6ms", "--verify")
    ran = hwnas("search", "--space", "digits", "--predictor", grows, *both, *QUICK)
    assert ran.code == 0, ran.err
    assert f"--verify measures on {here.id}; latency on phone stays as predicted" in ran.err
    assert json.loads(Path("pareto.json").read_text())["verified"]["device"] == here.id


def test_where_nothing_holds_nothing_is_written(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch, grows: Path) -> None:
    ns = true_ns()
    save_table(ns)
    # All but the anchor are slower than predicted.
    anchor = {layer.key for _, layer in SPACE.network(SPACE.sample(1, np.random.default_rng(0))[0])}
    fake_runtime(monkeypatch, {key: cost if key in anchor else 9 * cost for key, cost in ns.items()})
    fixed = ("--fix", "r=8", "--fix", "d=1")
    ran = hwnas("search", "--space", "digits", "--predictor", grows, "--latency", "0.5ms", "--verify", *QUICK, *fixed)
    assert ran.code == 1
    assert "no measured subnet holds 0.5 ms: nothing is written; try a larger budget" in ran.err
    assert not Path("pareto.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--verify",), "--verify: it checks a latency budget; pass --latency TIME"),
        (("--supernet", "digits"), "--supernet digits: only a search that evaluates subnets has one; add --evaluate"),
        (("--evaluate", "--supernet", "digit"), "did you mean 'digits'?"),
        (
            ("--evaluate", "--supernet", "digits", "--space", "ofa_resnet50"),
            "it has its own space, and --space names ofa_resnet50; drop --space",
        ),
        (("--evaluate", "--supernet", "digits", "--evals", "7"), "Invalid value for '--evals'"),
        (("--evaluate", "--supernet", "digits", "--verify"), "verify with evaluation"),
        (("--evaluate", "--supernet", "digits", "--population", 20), "population with evaluation"),
        (("--evaluate", "--supernet", "digits", "--objectives", "macs"), "top1 is not among the objectives"),
        (("--evaluate", "--supernet", "digits", "--objectives", "topp1,macs"), "did you mean 'top1'?"),
        (("--searcher", "lines"), "searcher 'lines'"),
        (("--evaluate", "--objectives", "top1,macs", "--fix", "r=224"), "supernet 'ofa_mbv3_w1.0'"),
    ],
)
def test_bad_input_is_one_line(hwnas: Hwnas, arguments: tuple[str, ...], message: str) -> None:
    ran = hwnas("search", *arguments)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
    assert message in ran.err
    assert not list(Path().iterdir())


def test_latencies_of_a_file_cannot_be_verified(hwnas: Hwnas) -> None:
    Path("blocks.csv").write_text("layer,choice,loss,latency_ms\na,big,0,2\na,small,1,1\n")
    ran = hwnas("search", "--library", "blocks.csv", "--objectives", "loss:min,latency", "--latency", "2ms", "--verify")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
    assert "verify: it times networks, but here latency comes from a file; drop --verify" in ran.err


def test_a_foreign_table_cannot_be_verified(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    ran = hwnas("search", "--device", table, "--predictor", predictor, "--latency", "8ms", "--verify", *QUICK)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
    assert "its table is of another machine, where --verify cannot measure; drop --verify" in ran.err


@pytest.mark.checks_tables
def test_a_killed_search_that_evaluates_goes_on_by_the_table_that_it_began_with(
    hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_table(true_ns())
    fake_runtime(monkeypatch, {key: round(1.3 * ns) for key, ns in true_ns(spread=0.05).items()})
    options = ("search", "--supernet", "digits", "--evaluate", "--evals", 10, "--objectives", "top1,latency")
    with monkeypatch.context() as killed:
        killed.setattr("hwnas.study._front.Outputs.write", Mock(side_effect=KeyboardInterrupt))
        assert hwnas(*options).code == 130
    known = Path("pareto.csv.journal.jsonl").read_text()
    for path in Path(os.environ["XDG_CACHE_HOME"]).rglob("*.jsonl"):
        os.utime(path, (0, 0))
    later = fake_runtime(monkeypatch, {key: round(1.6 * ns) for key, ns in true_ns(spread=0.08).items()})
    ran = hwnas(*options)
    assert ran.code == 0, ran.err
    assert not later  # nothing was timed again
    assert Path("pareto.csv.journal.jsonl").read_text() == known
    assert not Path("pareto.csv.tables").exists()
    ran = hwnas(*options)  # another search, by the table as it is now
    assert ran.code == 0, ran.err
    assert later


EVALUATE = (
    "search",
    "--supernet",
    "digits",
    "--evaluate",
    "--evals",
    "26",
    "--objectives",
    "top1,macs",
    "--fix",
    "r=8",
)


def test_a_killed_evaluation_ends_in_the_same_front(
    hwnas: Hwnas, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, torn = folder / "whole", folder / "torn"
    whole.mkdir()
    torn.mkdir()
    monkeypatch.chdir(whole)
    assert hwnas(*EVALUATE).code == 0
    journal = torn / "pareto.csv.journal.jsonl"
    code = f"from hwnas.cli import main; main({list(EVALUATE)!r})"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-c", code], cwd=torn, env=environment) as process:
        while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 9):
            time.sleep(0.005)
        process.kill()
    assert not (torn / "pareto.csv").exists()
    assert 9 < journal.read_bytes().count(b"\n") < 27
    monkeypatch.chdir(torn)
    assert hwnas(*EVALUATE).code == 0
    assert (torn / "pareto.csv").read_bytes() == (whole / "pareto.csv").read_bytes()
    assert (torn / "pareto.png").read_bytes() == (whole / "pareto.png").read_bytes()
    assert journal.read_bytes().count(b"\n") == 27

    frame = pd.read_csv(whole / "pareto.csv")
    entries = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    known = {json.dumps(e["arch"]): e["top1"] for e in entries}
    np.testing.assert_allclose(frame["top1_measured"], [known[arch] for arch in frame["arch"]], atol=1e-6)
    assert np.all(np.abs(frame["top1"] - frame["top1_measured"]) < 5)
    assert np.all(frame["top1_std"] > 0)
    n_images = entries[0]["n_images"]
    assert set(frame["top1_source"]) == {f"expected by {len(known)} subnets measured on {n_images} images of digits"}
    facts = json.loads((whole / "pareto.json").read_text())
    assert facts["evaluator"]["images"] == n_images
    assert facts["predictor"] is None
    assert facts["evaluations"] == 26
    x, values = SPACE.encode_many([e["arch"] for e in entries]), np.array([e["top1"] for e in entries])
    errors = 100 * np.sqrt(values / 100 * (1 - values / 100) / n_images)
    expected = GaussianProcess(SPACE).fit(x, values, errors=errors).predict(x)
    front = x[non_dominated(np.stack([-expected, macs_cost(SPACE)(x)], axis=1))]
    assert {json.dumps(SPACE.decode(row)) for row in front} == set(frame["arch"])
