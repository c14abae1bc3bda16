"""``hwnas search --seed-archs`` and ``--prior``: what was found elsewhere starts the search."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.io import arch_column
from hwnas.space import get_space, macs_cost
from tests.e2e.conftest import Hwnas

SPACE = get_space("digits")
QUICK = ("--searcher", "random", "--population", 20, "--generations", 1)


@pytest.fixture
def elsewhere(folder: Path) -> np.ndarray:
    """``other.csv``: subnets with accuracies of another data set."""
    x = np.unique(SPACE.sample(30, np.random.default_rng(0)), axis=0)
    frame = pd.DataFrame({"top1": 50 + 8 * np.log10(macs_cost(SPACE)(x)), "arch": arch_column(x, SPACE)})
    frame.to_csv(folder / "other.csv", index=False)
    return x


def encoded(cells: pd.Series) -> set[bytes]:
    return {row.tobytes() for row in SPACE.encode_many([json.loads(cell) for cell in cells])}


def test_a_search_starts_from_given_subnets(hwnas: Hwnas, additive: Path) -> None:
    whole = get_space("ofa_mbv3_w1.0").restrict(r=160)
    best = macs_cost(whole).minimum()[1]
    pd.DataFrame({"arch": arch_column(best[None], whole)}).to_csv("smallest.csv", index=False)
    options = ("--objectives", "top1,macs", "--predictor", additive, "--seed-archs", "smallest.csv", *QUICK)
    ran = hwnas("search", "--fix", "r=160", *options)
    assert ran.code == 0, ran.err
    assert pd.read_csv("pareto.csv")["macs"].min() == macs_cost(whole).minimum()[0]
    facts = json.loads(Path("pareto.json").read_text())
    assert facts["warm_start"]["seed_archs"]["rows"] == 1
    ran = hwnas("search", "--fix", "r=192", *options)
    assert ran.code == 2
    assert "none of its subnets (1)" in ran.err


def test_measured_searches_take_seeds_and_a_prior(hwnas: Hwnas, elsewhere: np.ndarray) -> None:
    ran = hwnas(
        "search", "--supernet", "digits", "--evaluate", "--evals", 22, "--objectives", "top1,macs",
        "--seed-archs", "other.csv", "--prior", "other.csv",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert f"the search starts from 20 of {len(elsewhere)} subnets of other.csv" in ran.err
    lines = Path("pareto.csv.journal.jsonl").read_text().splitlines()[1:]
    evaluated = [SPACE.encode(json.loads(line)["arch"]).tobytes() for line in lines]
    assert len(evaluated) == 22
    assert set(evaluated[:20]) <= {row.tobytes() for row in elsewhere}
    facts = json.loads(Path("pareto.json").read_text())
    assert facts["warm_start"]["prior"]["kind"] == "gp"


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--prior", "other.csv"), "add --evaluate"),
        (("--searcher", "exact", "--seed-archs", "other.csv"), "needs no start"),
        (("--seed-archs", "none.csv"), "cannot be read"),
        (("--seed-archs", "other.csv"), "file other.csv, "),
        (("--supernet", "digits", "--evaluate", "--prior", "few.csv"), "needs at least 8"),
        (("--supernet", "digits", "--evaluate", "--prior", "nothing"), "no such predictor"),
        (("--supernet", "digits", "--evaluate", "--prior", "bare.csv"), "no such column"),
    ],
)
def test_what_does_not_fit_gets_one_line(hwnas: Hwnas, options: tuple[str, ...], complaint: str) -> None:
    frame = pd.read_csv("other.csv")
    frame.head(3).to_csv("few.csv", index=False)
    frame[["arch"]].to_csv("bare.csv", index=False)
    ran = hwnas("search", "--objectives", "top1,macs", *options)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not Path("pareto.csv").exists()
