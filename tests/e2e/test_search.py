"""``hwnas search`` on a synthetic table: what it writes, that it repeats, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.latency import LatencyTable
from hwnas.report import hypervolume, non_dominated
from hwnas.search import SEARCHERS
from hwnas.search.expensive import _linas
from hwnas.space import PeakMemory, get_space, macs_cost, params_cost
from tests.e2e.conftest import MS_PER_MAC, RESOLUTIONS, Hwnas

SPACE = get_space("ofa_mbv3_w1.0")
QUICK = ("--searcher", "random", "--population", 40, "--generations", 6)
"""What the command does does not depend on how well it searches: `tests/search` sees to that."""


def archs(frame: pd.DataFrame) -> np.ndarray:
    return SPACE.encode_many([json.loads(cell) for cell in frame["arch"]])


def test_a_front_with_its_provenance_and_picture(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    ran = hwnas("search", "--latency", "8ms", "--device", table, "--predictor", predictor, *QUICK)
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    assert list(frame.columns) == ["row", "top1", "top1_std", "latency_ms", "macs", "params", "memory_bytes", "arch"]
    assert (frame["latency_ms"] <= 8).all()
    assert frame["top1"].is_monotonic_decreasing
    assert non_dominated(frame[["top1", "latency_ms"]].to_numpy(), [True, False]).all()
    x = archs(frame)
    assert len(np.unique(x, axis=0)) == len(frame)
    assert frame["macs"].tolist() == macs_cost(SPACE)(x).tolist()
    assert frame["params"].tolist() == params_cost(SPACE)(x).tolist()
    np.testing.assert_allclose(frame["latency_ms"], frame["macs"] * MS_PER_MAC, rtol=1e-5)
    assert set(x[:, -1]) <= {SPACE.genes[-1].choices.index(r) for r in RESOLUTIONS}
    assert f"r is restricted to {', '.join(map(str, RESOLUTIONS))}" in ran.err
    assert Path("pareto.png").read_bytes().startswith(b"\x89PNG")
    assert "hwnas export pareto.csv --row 1" in ran.out

    facts = json.loads(Path("pareto.json").read_text())
    assert facts["budgets"] == {"latency_ms": 8.0}
    assert facts["searcher"] == {"name": "random", "seed": 0, "population": 40, "generations": 6}
    assert facts["space"]["fingerprint"] == SPACE.fingerprint
    assert facts["space"]["restricted"] == {"r": list(RESOLUTIONS)}
    assert len(facts["device"]["sha256"]) == len(facts["predictor"]["sha256"]) == 64
    assert facts["command"].startswith("hwnas search --latency 8ms")
    assert facts["rows"] == len(frame)
    reference = [facts["hypervolume"]["reference"][name] for name in ("top1", "latency_ms")]
    volume = hypervolume(frame[["top1", "latency_ms"]].to_numpy(), reference, [True, False])
    assert facts["hypervolume"]["value"] == pytest.approx(volume, rel=1e-4)


def test_equal_bytes_across_processes_and_hash_seeds_without_torch(table: Path, predictor: Path, folder: Path) -> None:
    code = (
        "import sys\nfrom hwnas.cli import main\ntry:\n    main()\nexcept SystemExit as e:\n    assert not e.code\n"
        "heavy = {'torch', 'sklearn', 'onnxruntime', 'onnx'} & set(sys.modules)\nassert not heavy, heavy"
    )
    written = []
    for hash_seed in ("1", "2"):
        out = folder / f"front{hash_seed}.csv"
        arguments = ["search", "--latency", "8ms", "--device", table, "--predictor", predictor, "--seed", 5, *QUICK]
        ran = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments), "--out", out],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        written.append((out.read_bytes(), out.with_suffix(".png").read_bytes()))
    assert written[0] == written[1]


def test_a_subnet_exactly_at_the_budget_is_allowed(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    only = {"d": 2, "ks": 3, "e": 4, "r": 160}
    x = SPACE.restrict(**only).sample(1, np.random.default_rng(0))
    macs, ms = int(macs_cost(SPACE)(x)[0]), LatencyTable.load(table).cost(SPACE.restrict(r=160))(x)[0]
    fixed = [word for gene, value in only.items() for word in ("--fix", f"{gene}={value}")]
    options = (*fixed, "--device", table, "--predictor", predictor, *QUICK)
    for budget in (("--macs", f"{macs / 1e6:.6f}M"), ("--latency", f"{float(ms)!r}ms")):
        ran = hwnas("search", *budget, "--json", *options)
        assert ran.code == 0, ran.err
        assert [row["macs"] for row in json.loads(ran.out)["front"]] == [macs]
    assert hwnas("search", "--macs", f"{(macs - 1) / 1e6:.6f}M", *options).code == 2


def test_budgets_combine_and_genes_can_be_fixed(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    ran = hwnas(
        "search", "--latency", "9ms", "--macs", "200M", "--params", "5M", "--fix", "r=160", "--fix", "ks[0]=7",
        "--device", table, "--predictor", predictor, *QUICK,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    assert (frame["macs"] <= 200e6).all()
    assert (frame["params"] <= 5e6).all()
    decoded = [json.loads(cell) for cell in frame["arch"]]
    assert {arch["r"] for arch in decoded} == {160}
    assert {arch["ks"][0] for arch in decoded} == {7}


def test_accuracy_against_macs_needs_no_device(hwnas: Hwnas, predictor: Path) -> None:
    ran = hwnas("search", "--macs", "300M", "--objectives", "top1,macs", "--predictor", predictor, *QUICK)
    assert ran.code == 0, ran.err
    assert "latency_ms" not in pd.read_csv("pareto.csv").columns
    assert json.loads(Path("pareto.json").read_text())["device"] is None


@pytest.mark.parametrize("objectives", ["top1", "top1,macs", "macs,params"])
def test_a_budget_need_not_be_an_objective(hwnas: Hwnas, table: Path, predictor: Path, objectives: str) -> None:
    common = ("--device", table, "--predictor", predictor, *QUICK)
    ran = hwnas("search", "--latency", "5ms", "--objectives", objectives, *common)
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    assert (frame["latency_ms"] <= 5).all()
    assert (len(frame) == 1) == (objectives == "top1")


def test_top_keeps_the_most_accurate(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    common = ("--device", table, "--predictor", predictor, *QUICK)
    hwnas("search", *common, "--out", "all.csv")
    hwnas("search", *common, "--out", "one.csv", "--top", 1)
    assert Path("one.csv").read_text().splitlines() == Path("all.csv").read_text().splitlines()[:2]


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_every_searcher_from_the_command_line(
    hwnas: Hwnas, table: Path, additive: Path, searcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_linas, "INNER_GENERATIONS", 4)
    few = ("--fix", "ks=3", "--fix", "e=3", "--fix", "r=160")
    common = ("--device", table, "--predictor", additive, "--searcher", searcher, "--json")
    sizes = () if searcher in ("exact", "linas") else ("--population", 20, "--generations", 2)
    ran = hwnas("search", *common, *few, *sizes)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["provenance"]["searcher"]["name"] == searcher
    assert [row["arch"] for row in told["front"]] == SPACE.decode_many(archs(pd.read_csv("pareto.csv")))


def test_report_draws_the_front_again(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    hwnas("search", "--latency", "8ms", "--device", table, "--predictor", predictor, *QUICK)
    drawn = Path("pareto.png").read_bytes()
    Path("pareto.png").unlink()
    ran = hwnas("report", "pareto.csv")
    assert ran.code == 0, ran.err
    assert Path("pareto.png").read_bytes() == drawn
    assert hwnas("report", "pareto.csv", "--out", "front.svg").code == 0
    Path("pareto.json").unlink()
    assert hwnas("report", "pareto.csv", "--out", "bare.png").code == 0


def test_peak_memory_is_a_budget_and_an_objective(hwnas: Hwnas, predictor: Path) -> None:
    budget = ["--predictor", predictor, "--memory"]
    ran = hwnas("search", "--objectives", "top1,memory", *budget, "5MB", *QUICK)
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    assert frame["memory_bytes"].tolist() == PeakMemory(SPACE)(archs(frame)).tolist()
    assert (frame["memory_bytes"] <= 5e6).all()
    ran = hwnas("search", "--objectives", "top1,macs", *budget, "1kB", *QUICK)
    assert ran.code == 2
    assert "memory_bytes <= 1 kB: no subnet" in ran.err
