"""``hwnas fit``: scores printed, a predictor file that search can use; bad data refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.io import arch_column, write_csv
from hwnas.predictor import load_predictor
from hwnas.space import get_space, macs_cost
from tests.e2e.conftest import SPACE, Hwnas

AT = ("--space", "ofa_mbv3_w1.0")


@pytest.fixture
def measured(folder: Path) -> Path:
    x = SPACE.restrict(r=[160, 192]).sample(70, np.random.default_rng(0), distinct_uniform=False)
    top1 = 70 + 3 * np.log(macs_cost(SPACE)(x) / 1e8)
    write_csv(pd.DataFrame({"arch": arch_column(x, SPACE), "top1": top1.round(3), "loss": -top1}), "measured.csv")
    return folder / "measured.csv"


def test_a_predictor_is_scored_and_written(hwnas: Hwnas, measured: Path) -> None:
    ran = hwnas("fit", measured, *AT, "--model", "ridge", "--out", "mine.safetensors")
    assert ran.code == 0, ran.err
    for word in ("Kendall tau", "RMSE", "MAPE", "25 subnets", "5 folds"):
        assert word in " ".join(ran.out.split())
    assert "hwnas search" in ran.err
    model = load_predictor("mine.safetensors", SPACE)
    assert model.card.metric == "top1"
    assert [(d["name"], d["rows"]) for d in model.card.data] == [("measured.csv", 70)]
    assert model.card.scores["5_fold"]["tau"] > 0.9
    first = Path("mine.safetensors").read_bytes()
    assert hwnas("fit", measured, *AT, "--model", "ridge", "--out", "mine.safetensors").code == 0
    assert Path("mine.safetensors").read_bytes() == first


def test_of_measured_accuracies_it_is_told_that_their_samples_are_not_known(hwnas: Hwnas, measured: Path) -> None:
    ran = hwnas("fit", measured, *AT, "--model", "ridge")
    assert "as if it were exact" not in ran.err
    evaluated = pd.read_csv(measured).assign(n_images=200, latency_ms=range(1, 71))
    evaluated.to_csv("evaluated.csv", index=False)
    ran = hwnas("fit", "evaluated.csv", *AT, "--model", "additive")
    assert (
        "top1 is fitted as if it were exact: these scores hold only for the samples that it was measured on" in ran.err
    )
    ran = hwnas("fit", "evaluated.csv", *AT, "--model", "ridge", "--metric", "latency")
    assert ran.code == 0, ran.err
    assert "is fitted as" not in ran.err


def test_errors_of_measured_accuracies_are_no_part_of_what_is_learnt(hwnas: Hwnas, measured: Path) -> None:
    """Like subnets err alike, which a fit cannot tell from what they have in common."""
    frame = pd.read_csv(measured)
    x = SPACE.encode_many([json.loads(arch) for arch in frame["arch"]])
    off = 3.0 * np.sin(3 * x[:, :4].sum(axis=1))
    noisy = frame.assign(top1=frame["top1"] + off)
    for name, told in (("exact", {}), ("images", {"n_images": 450}), ("std", {"top1_std": 2.1, "n_images": 9})):
        noisy.assign(**told).to_csv(f"{name}.csv", index=False)
        ran = hwnas("fit", f"{name}.csv", *AT, "--model", "gp", "--out", f"{name}.safetensors")
        assert ran.code == 0, ran.err
        assert ("top1 is fitted as exact to 2.1 points:" in ran.err) == bool(told)
    exact, images, std = (
        np.sqrt(np.mean((load_predictor(f"{name}.safetensors", SPACE).predict(x) - frame["top1"]) ** 2))
        for name in ("exact", "images", "std")
    )
    assert max(images, std) < 0.8 * exact
    noisy.assign(top1_std="").to_csv("unsaid.csv", index=False)
    assert "is fitted as exact" not in hwnas("fit", "unsaid.csv", *AT, "--model", "additive").err


def test_of_a_front_what_was_measured_is_fitted(hwnas: Hwnas, measured: Path) -> None:
    """Beside it stands what the search expects, which is nearer to the mean of all."""
    frame = pd.read_csv(measured)
    frame.to_csv("plain.csv", index=False)
    frame.assign(top1=71.0, top1_std=0.4, top1_measured=frame["top1"]).to_csv("front.csv", index=False)
    found = [
        json.loads(hwnas("fit", f"{name}.csv", *AT, "--model", "additive", "--json").out) for name in ("plain", "front")
    ]
    assert found[0]["5_fold"] == found[1]["5_fold"]


def test_repeated_measurements_are_told_and_contradictions_refused(hwnas: Hwnas, measured: Path) -> None:
    frame = pd.read_csv(measured)
    frame.iloc[:3].assign(top1=frame["top1"] + 0.05).to_csv("again.csv", index=False)
    ran = hwnas("fit", measured, "again.csv", *AT, "--model", "ridge")
    assert ran.code == 0, ran.err
    assert "3 subnets with several values, up to 0.05 apart: means are fitted" in ran.err
    frame.iloc[[4]].assign(top1=7.5).to_csv("typo.csv", index=False)
    ran = hwnas("fit", measured, "typo.csv", *AT, "--model", "ridge", "--out", "mine.safetensors")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    value = f"{frame['top1'][4]:.8g}"
    assert f"typo.csv, row 1: it is the subnet of {measured}, row 5, with another value, {value}, not 7.5" in ran.err
    assert not Path("mine.safetensors").exists()


def test_scores_as_json_and_another_metric(hwnas: Hwnas, measured: Path) -> None:
    ran = hwnas("fit", measured, *AT, "--model", "additive", "--metric", "loss", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["metric"] == "loss"
    assert set(told["5_fold"]) >= {"tau", "rmse", "mape", "n"}


def test_the_metric_is_the_one_that_the_files_name(hwnas: Hwnas, measured: Path) -> None:
    frame = pd.read_csv(measured).drop(columns="loss")
    for column, metric in (("accuracy", "accuracy"), ("f1", "f1"), ("Top-1 Acc (%)", "top1")):
        frame.rename(columns={"top1": column}).to_csv("named.csv", index=False)
        ran = hwnas("fit", "named.csv", *AT, "--model", "additive", "--out", "mine.safetensors")
        assert ran.code == 0, ran.err
        assert load_predictor("mine.safetensors", SPACE).card.metric == metric
        sums = ("--objectives", f"{metric},macs", "--searcher", "random", "--fix", "r=160")
        ran = hwnas("search", *AT, "--predictor", "mine.safetensors", *sums)
        assert ran.code == 0, ran.err


def test_a_released_predictor_is_converted(hwnas: Hwnas, shared_data: Path) -> None:
    source = shared_data / "ofa_tutorial" / "acc_predictor.pth"
    ran = hwnas("fit", "--import", source, "--space", "ofa_mbv3_w1.2", "--out", "ofa.safetensors")
    assert ran.code == 0, ran.err
    space = get_space("ofa_mbv3_w1.2")
    ours, theirs = load_predictor("ofa.safetensors", space), load_predictor(source, space)
    x = theirs.covered(space).sample(20, np.random.default_rng(0))
    assert (ours.predict(x) == theirs.predict(x)).all()


def test_predicted_accuracies_are_refused_with_the_way_to_measured_ones(hwnas: Hwnas, measured: Path) -> None:
    beside = measured.with_suffix(".json")
    predicted = {"schema": 1, "predictor": {"name": "theirs.safetensors"}, "device": {"name": "latency table toy"}}
    for facts, metric, refused in (
        (predicted, "top1", "predicted by theirs.safetensors"),
        (predicted, "loss", ""),
        ({**predicted, "evaluator": {"images": 500}}, "top1", ""),
        ({"rows": 70}, "top1", ""),
    ):
        beside.write_text(json.dumps(facts))
        ran = hwnas("fit", measured, *AT, "--model", "additive", "--metric", metric, "--out", "x.safetensors")
        assert ran.code == (2 if refused else 0), ran.err
        assert refused in ran.err
        if refused:
            assert "hwnas evaluate --supernet NAME --archs" in ran.err
            assert ran.err.count("\n") == 1
            assert not Path("x.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.csv", *AT], "absent.csv: it cannot be read"),
        (["measured.csv", *AT, "--model", "pg"], "no such predictor kind"),
        (["measured.csv", *AT, "--metric", "top5"], "measured.csv, metric 'top5'"),
        (["measured.csv", "--space", "ofa_resnet50"], "measured.csv, row 1"),
        (["measured.csv", "--space", "ofa_mbv3"], "did you mean"),
        (["few.csv", *AT], "at least 8"),
        (["nan.csv", *AT], "nan.csv, row 2"),
        (["measured.csv", *AT, "--out", "measured.csv/x.safetensors"], "cannot be written"),
        (
            ["measured.csv", *AT, "--out", "mine.csv"],
            "--out mine.csv: a predictor ends in .safetensors; write --out mine.s",
        ),
        ([*AT], "one of them is needed"),
        (["--import", "measured.csv", *AT, "--out", "x.safetensors"], "measured.csv"),
        (["--import", "measured.csv", *AT], "--out FILE"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    hwnas: Hwnas, measured: Path, arguments: list[str], message: str
) -> None:
    frame = pd.read_csv(measured)
    frame.head(5).to_csv("few.csv", index=False)
    frame.assign(top1=[1.0, float("nan"), *frame["top1"][2:]]).to_csv("nan.csv", index=False)
    before = sorted(p.name for p in Path().iterdir())
    ran = hwnas("fit", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err
    assert sorted(p.name for p in Path().iterdir()) == before


def test_the_step_after_an_evaluation_says_how_many_subnets_it_needs(hwnas: Hwnas) -> None:
    for n, few in ((9, True), (10, False)):
        ran = hwnas("evaluate", "--supernet", "digits", "--sample", n, "--fix", "r=8", "--out", "a.csv")
        assert ("next: hwnas fit a.csv --space digits" in ran.err, "(once there are 10" in ran.err) == (True, few)
        assert hwnas("fit", "a.csv", "--space", "digits", "--model", "ridge").code == (2 if few else 0)
