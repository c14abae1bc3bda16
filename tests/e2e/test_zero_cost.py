"""Searches by scores of untrained networks: every output labels them as such."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.conftest import Hwnas

SEARCH = ("search", "--space", "digits", "--fix", "r=8", "--evals", 12, "--objectives")


def test_a_front_by_a_score_says_everywhere_that_it_is_no_accuracy(hwnas: Hwnas) -> None:
    ran = hwnas(*SEARCH, "synflow,macs")
    assert ran.code == 0, ran.err
    assert "synflow is a score of untrained networks, no accuracy: its Kendall tau with accuracies was 0." in ran.err
    assert "(mere MACs: 0." in ran.err
    assert "score, no accuracy" in ran.out
    assert "top1" not in (ran.out + ran.err).lower()
    frame, facts = pd.read_csv("pareto.csv"), json.loads(Path("pareto.json").read_text())
    assert list(frame.columns[:2]) == ["row", "synflow_score"]
    assert set(frame["synflow_score_source"]) == {"untrained network"}
    assert facts["score"]["is"] == "a score of untrained networks, no accuracy"
    assert facts["score"]["kendall_tau"]
    assert "evaluator" not in facts
    assert facts["predictor"] is None
    assert hwnas("report", "pareto.csv", "--html").code == 0
    assert "a score of untrained networks, no accuracy" in Path("pareto.html").read_text()


def test_a_killed_search_resumes_from_its_journal_and_ends_the_same(hwnas: Hwnas) -> None:
    assert hwnas(*SEARCH, "synflow,macs").code == 0
    journal, front = Path("pareto.csv.journal.jsonl"), Path("pareto.csv").read_bytes()
    lines = journal.read_text().splitlines(keepends=True)
    assert len(lines) == 13
    journal.write_text("".join(lines[:6]))
    ran = hwnas(*SEARCH, "synflow,macs")
    assert "holds 5 scored subnets; none is scored again" in ran.err
    assert Path("pareto.csv").read_bytes() == front
    assert journal.read_text() == "".join(lines)
    assert "it was begun with seed 0, not 1" in hwnas(*SEARCH, "synflow,macs", "--seed", 1).err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["synflow,swap"], "a search can have only one score; drop swap"),
        (["synflow,macs", "--prior", "other.csv"], "predictions need none"),
        (["synflow,macs", "--predictor", "p.safetensors"], "it has no meaning where subnets are scored"),
        (["macs,params", "--budget", "synflow>=10"], "add --objectives synflow,macs"),
        (["top1,synflow", "--evaluate"], "objective synflow: the search evaluates top1; drop synflow"),
        (["synflw,macs"], "did you mean 'synflow'?"),
    ],
)
def test_what_does_not_go_with_a_score_is_one_line(options: list[str], complaint: str, hwnas: Hwnas) -> None:
    ran = hwnas(*SEARCH, *options)
    assert ran.code == 2
    assert complaint in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not list(Path().iterdir())


def test_a_space_without_predictor_offers_a_score(hwnas: Hwnas) -> None:
    ran = hwnas("search", "--space", "digits", "--objectives", "top1,macs")
    assert ran.code == 2
    assert "--objectives swap,macs" in ran.err
    assert hwnas(*SEARCH, "swap,macs").code == 0
