"""``hwnas bench`` on a small table: what it writes, that it resumes, and what it refuses."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.space import get_space
from tests.e2e.conftest import Hwnas
from tests.e2e.machine import fake_runtime, save_table, true_ns
from tests.space.toy import enumerate_rows

SPACE = ("--space", "nasbench201", "--table", "cells.csv", "--objectives", "top1=acc,latency=phone")
QUICK = (*SPACE, "--evals", 40, "--searchers", "random,nsga2")


@pytest.fixture(scope="module")
def table_of_cells() -> str:
    """Every cell with its accuracy and its latency on a phone."""
    x = enumerate_rows(get_space("nasbench201"))
    good = 90 - (x - 3.0) ** 2 @ np.arange(1, 7) / 4
    frame = pd.DataFrame({"ops": ["".join(map(str, row)) for row in x], "acc": good, "phone": 1.0 + x.sum(axis=1)})
    return frame.to_csv(index=False)


@pytest.fixture(autouse=True)
def cells(folder: Path, table_of_cells: str) -> None:
    (folder / "cells.csv").write_text(table_of_cells)


def test_curves_in_a_tidy_table_a_picture_and_in_print(hwnas: Hwnas) -> None:
    ran = hwnas("bench", *SPACE, "--evals", 40, "--seeds", 2, "--searchers", "random,evolution,linas,exact")
    assert ran.code == 0, ran.err
    frame = pd.read_csv("bench.csv")
    assert list(frame.columns) == ["searcher", "seed", "evaluations", "hypervolume", "share"]
    assert frame.groupby(["searcher", "seed"]).size().to_dict() == {
        (name, seed): 40 for name in ("evolution", "linas", "random") for seed in (0, 1)
    }
    assert frame["share"].between(0, 1).all()
    assert frame.groupby(["searcher", "seed"])["hypervolume"].is_monotonic_increasing.all()
    facts = json.loads(Path("bench.json").read_text())
    assert facts["best"]["is"] == "exact"
    assert facts["searchers"]["linas"]["share_pct"] > facts["searchers"]["random"]["share_pct"]
    assert Path("bench.png").read_bytes().startswith(b"\x89PNG")
    assert [line.split()[0] for line in ran.out.splitlines()[1:4]] == ["random", "evolution", "linas"]


def test_runs_are_kept_and_added_to(hwnas: Hwnas) -> None:
    hwnas("bench", *QUICK, "--seeds", 2, "--out", "whole.csv")
    assert hwnas("bench", *QUICK, "--seeds", 1).code == 0
    journal = Path("bench.csv.journal.jsonl")
    entries = journal.read_text().splitlines()
    journal.write_text("\n".join(entries[:-1]) + "\n" + entries[-1][: len(entries[-1]) // 2])  # killed while writing
    ran = hwnas("bench", *QUICK, "--seeds", 2)
    assert ran.code == 0, ran.err
    assert "holds 1 finished run; none is run again" in ran.err
    assert Path("bench.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert Path("bench.png").read_bytes() == Path("whole.png").read_bytes()
    ran = hwnas("bench", *QUICK, "--seeds", 2, "--latency", "9ms")
    assert ran.code == 2
    assert "begun with budgets" in ran.err


@pytest.mark.checks_tables
def test_runs_go_on_by_the_table_that_they_began_with(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although what adapted it counts for an hour, and the machine has another speed by then."""
    save_table(true_ns())
    options = ("bench", "--space", "digits", "--objectives", "latency,macs", "--evals", 20, "--searchers", "random")
    fake_runtime(monkeypatch, {key: round(1.3 * ns) for key, ns in true_ns().items()})
    first = hwnas(*options, "--seeds", 1)
    assert first.code == 0, first.err
    assert "is adapted" in first.err
    begun = pd.read_csv("bench.csv")
    for kept in Path(os.environ["XDG_CACHE_HOME"]).rglob("*.jsonl"):
        os.utime(kept, (0, 0))
    later = fake_runtime(monkeypatch, {key: round(1.6 * ns) for key, ns in true_ns().items()})
    ran = hwnas(*options, "--seeds", 2)
    assert ran.code == 0, ran.err
    assert not later  # nothing was timed again
    assert "the unfinished run used it" in ran.err
    both = pd.read_csv("bench.csv")
    pd.testing.assert_frame_equal(both[both["seed"] == 0], begun)
    for other, complaint in ((("--batch", 2), "batch 1, here 2"), (("--as-is",), "begun with sources")):
        ran = hwnas(*options, "--seeds", 2, *other)
        assert (ran.code, ran.out) == (2, "")
        assert complaint in ran.err


@pytest.mark.parametrize(("metric", "condition"), [("size", ("--precision", "int8")), ("memory", ("--batch", 2))])
def test_runs_of_other_conditions_do_not_mix(hwnas: Hwnas, metric: str, condition: tuple[object, ...]) -> None:
    options = ("bench", "--space", "digits", "--objectives", f"macs,{metric}", "--evals", 20, "--searchers", "random")
    assert hwnas(*options, "--seeds", 1).code == 0
    ran = hwnas(*options, "--seeds", 2, *condition)
    assert (ran.code, ran.out) == (2, "")
    assert re.search(f"begun with(out)? {str(condition[0])[2:]}.*, not ", ran.err), ran.err


def test_searchers_compared_by_what_a_supernet_measures(hwnas: Hwnas) -> None:
    options = ("bench", "--evaluate", "--space", "digits", "--fix", "r=8", "--objectives", "macs,top1", "--evals", 20)
    ran = hwnas(*options, "--searchers", "random,linas", "--seeds", 1)
    assert ran.code == 0, ran.err
    kept = Path("bench.csv.accuracy.journal.jsonl").read_text().splitlines()
    measured = [json.loads(line) for line in kept[1:]]
    runs = [json.loads(line) for line in Path("bench.csv.journal.jsonl").read_text().splitlines()[1:]]
    asked = {tuple(row) for run in runs for row in run["x"]}
    assert [len(run["x"]) for run in runs] == [20, 20]
    assert len(measured) == len(asked)  # a subnet is measured once for all searchers
    facts = json.loads(Path("bench.json").read_text())
    assert (facts["best"]["is"], facts["evaluator"]["data"]) == ("best measured", "digits")
    assert pd.read_csv("bench.csv").groupby("searcher")["share"].max().max() <= 1
    ran = hwnas(*options, "--searchers", "random", "--seeds", 2)
    assert ran.code == 0, ran.err
    assert "holds 2 finished runs" in ran.err
    assert Path("bench.csv.accuracy.journal.jsonl").read_text().splitlines()[: len(kept)] == kept


def test_a_searcher_that_does_not_load_is_told_before_the_first_run(
    hwnas: Hwnas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_searcher(tmp_path / "packages", "absent_module", monkeypatch)
    for command in (("bench", *SPACE, "--searchers", "random,theirs"), ("search", *SPACE, "--searcher", "theirs")):
        ran = hwnas(*command)
        assert (ran.code, ran.out) == (2, "")
        assert "absent_module:searcher cannot be loaded" in ran.err
        assert len(ran.err.splitlines()) == 1
    assert not Path("bench.csv.journal.jsonl").exists()


FAILS_LATER = """
import numpy as np
from hwnas.search import Stepwise

def searcher(problem, options):
    def steps(*_):
        yield problem.space.sample(4, np.random.default_rng(0))
        raise ValueError("no more")
    return Stepwise("theirs", problem, options, steps)
"""


def test_a_searcher_that_fails_is_one_line_and_what_was_evaluated_is_kept(
    hwnas: Hwnas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_searcher(tmp_path / "packages", "fails_later", monkeypatch)
    (tmp_path / "packages" / "fails_later.py").write_text(FAILS_LATER)
    evaluated = ("--supernet", "digits", "--evaluate", "--evals", 20, "--objectives", "top1,macs")
    ran = hwnas("search", *evaluated, "--searcher", "theirs")
    assert (ran.code, ran.out) == (2, "")
    said = "error: --searcher 'theirs': ask() fails (ValueError: no more); correct the plug-in"
    assert ran.err.splitlines()[-1] == said, ran.err
    kept = Path("pareto.csv.journal.jsonl").read_text().splitlines()
    assert sum("top1" in json.loads(line) for line in kept) == 4


def _install_searcher(folder: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = folder / "theirs-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[hwnas.searchers]\ntheirs = {module}:searcher\n")
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--searchers", "randm"), "did you mean 'random'"),
        (("--searchers", "exact"), "name others"),
        (("--searchers", ","), "it names nothing"),
        (("--evals", 3), "20"),
        (("--out", "bench.txt"), "bench.csv"),
        (("--evaluate",), "table with evaluation"),
        (("--supernet", "digits"), "add --evaluate, or search by prediction"),
    ],
)
def test_what_does_not_fit_gets_one_line(hwnas: Hwnas, options: tuple[object, ...], complaint: str) -> None:
    ran = hwnas("bench", *SPACE, *options)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err
    assert len(ran.err.splitlines()) == 1
