"""Metrics of the user's own: fitted, searched by, bounded both ways, reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.io import arch_column, write_csv
from hwnas.space import get_space, macs_cost
from tests.e2e.conftest import Hwnas

SPACE = get_space("digits")
QUICK = ("--searcher", "random", "--population", 60, "--generations", 5)


@pytest.fixture(autouse=True)
def measured() -> None:
    """Subnets whose F1 grows with their MACs, and whose energy does too."""
    x = SPACE.sample(60, np.random.default_rng(0), distinct_uniform=False)
    macs = macs_cost(SPACE)(x)
    f1 = 0.5 + 0.03 * np.log(macs)
    write_csv(pd.DataFrame({"arch": arch_column(x, SPACE), "f1": f1.round(5), "energy_mj": macs / 1e5}), "measured.csv")


def test_a_predictor_of_f1_is_searched_by_and_f1_goes_up(hwnas: Hwnas) -> None:
    fit = (
        "fit",
        "measured.csv",
        "--space",
        "digits",
        "--model",
        "additive",
        "--metric",
        "f1",
        "--out",
        "f1.safetensors",
    )
    assert hwnas(*fit).code == 0
    ran = hwnas("search", "--space", "digits", "--predictor", "f1.safetensors", "--objectives", "f1,macs", *QUICK)
    assert ran.code == 0, ran.err
    frame, facts = pd.read_csv("pareto.csv"), json.loads(Path("pareto.json").read_text())
    assert list(frame.columns[:3]) == ["row", "f1", "f1_std"]
    assert frame["f1"].is_monotonic_decreasing
    assert frame["macs"].is_monotonic_decreasing  # the front trades one for the other
    assert facts["directions"] == {"f1": "max", "macs": "min"}
    assert "F1" in ran.out
    ran = hwnas("search", "--space", "digits", "--predictor", "f1.safetensors", "--objectives", "top1,macs", *QUICK)
    assert ran.code == 2
    said = "it predicts f1, not top1; write f1 in its place, or pass a predictor of top1: hwnas fit DATA.csv --space digits"
    assert f"{said} --metric top1" in ran.err


def test_a_column_of_the_users_says_its_direction_once(hwnas: Hwnas) -> None:
    fit = ("fit", "measured.csv", "--space", "digits", "--model", "additive", "--out", "own.safetensors", "--metric")
    search = ("search", "--space", "digits", "--predictor", "own.safetensors", *QUICK, "--objectives")
    told = "--objectives energy_mj:max,latency   (or energy_mj:min, if less is better)"
    assert told in hwnas(*fit, "energy_mj").err
    ran = hwnas(*search, "energy_mj,macs")
    assert (ran.code, ran.out) == (2, "")
    assert "write energy_mj:max or energy_mj:min" in ran.err
    assert hwnas(*search, "energy_mj:max,macs", "--out", "up.csv").code == 0
    up = pd.read_csv("up.csv")
    assert len(up) > 1
    assert up["energy_mj"].is_monotonic_decreasing
    assert hwnas("report", "up.csv").code == 0
    assert hwnas(*search, "energy_mj:max,macs", "--seed", 1, "--out", "other.csv").code == 0
    ran = hwnas("compare", "up.csv", "other.csv", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["reference"]["energy_mj"] < up["energy_mj"].min()  # more is better: worst is least


def test_bounds_hold_both_ways(hwnas: Hwnas) -> None:
    fit = (
        "fit",
        "measured.csv",
        "--space",
        "digits",
        "--model",
        "additive",
        "--metric",
        "f1",
        "--out",
        "f1.safetensors",
    )
    assert hwnas(*fit).code == 0
    given = ("--space", "digits", "--predictor", "f1.safetensors", "--objectives", "f1,macs")
    for searcher in (("--searcher", "exact"), ("--population", 60, "--generations", 5)):
        ran = hwnas("search", *given, "--budget", "f1>=0.86", "--budget", "macs<=300k", *searcher)
        assert ran.code == 0, ran.err
        frame, facts = pd.read_csv("pareto.csv"), json.loads(Path("pareto.json").read_text())
        assert (frame["f1"] >= 0.86).all()
        assert (frame["macs"] <= 300e3).all()
        assert (facts["budgets"], facts["floors"]) == ({"macs": 300e3}, {"f1": 0.86})
    ran = hwnas("search", *given, "--budget", "f1>=2")
    assert ran.code == 2
    assert "no subnet of digits reaches 2; the largest has 0.9" in ran.err
    assert hwnas("report", "pareto.csv", "--html").code == 0
    assert "F1 ≥ 0.86" in Path("pareto.html").read_text()
