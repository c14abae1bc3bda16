"""Regression tests of wrong values that once passed, or ended in a traceback: one line, exit 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.io import arch_column, write_csv
from hwnas.report import write_provenance
from tests.e2e.conftest import Hwnas
from tests.e2e.machine import SPACE

DIGITS = ("--space", "digits")


@pytest.fixture(autouse=True)
def accuracies(folder: Path) -> Path:
    x = SPACE.sample(20, np.random.default_rng(0))
    write_csv(pd.DataFrame({"arch": arch_column(x, SPACE), "top1": 50.0 + np.arange(20)}), folder / "acc.csv")
    return folder / "acc.csv"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("search", *DIGITS, "--out", ""), "--out: it is empty"),
        (("search", *DIGITS, "--out="), "--out: it is empty"),
        (("search", "--space", " "), "--space: it is empty"),
        (("search", "--latency"), "requires an argument (see hwnas search --help)"),
        (("export",), "it is a row of a CSV or an arch; pass PARETO.csv --row N"),
        (("export", "--supernet", "digits", "--arch", "{}", "--row", 1), "--row 1: it names a row of a CSV"),
        (("export", "--supernet", "digits", "--arch", "{}", "--threads", 2), "threads 2: nothing is measured without"),
        (("predict", "acc.csv", *DIGITS, "--threads", 2, "--out", "x.csv"), "add --device cpu"),
        (("export", "none.csv", "--row", 1), "file none.csv: there is no such file; check the path"),
        (("fit", "", *DIGITS), "an argument: it is empty"),
        (("fit", "acc.csv", *DIGITS, "--model", "mlp", "--seed", 2**32), "4294967295"),
        (("train", "--supernet", "digits", "--out", "t.safetensors", "--learning-rate", "inf"), "--learning-rate"),
        (("train", "--supernet", "digits", "--out", "t.safetensors", "--learning-rate", "nan"), "--learning-rate"),
        (("search", *DIGITS, "--objectives", "macs=,params"), "objective macs=: nothing stands behind"),
        (("search", *DIGITS, "--objectives", "macs@,params"), "objective macs@: nothing stands behind"),
        (("search", *DIGITS, "--throughput", "=50/s"), "write --throughput 50/s"),
        (("search", *DIGITS, "--latency", "phone=20"), "--latency phone=20: a quantity needs a unit; write phone=20ms"),
        (
            ("search", *DIGITS, "--budget", "latency<=20"),
            '--budget latency<=20: a quantity needs a unit; write "latency<=20ms"',
        ),
        (
            ("search", *DIGITS, "--budget", "params >= 5"),
            '--budget params >= 5: a quantity needs a unit; write "params>=5M"',
        ),
        (
            ("search", *DIGITS, "--objectives", "macs,params", "--fix", "r=9"),
            "choices of r in digits are 8, 10, 12, 14, 16",
        ),
        (("predict", "acc.csv", *DIGITS, "--device", "cpu:9", "--out", "x.csv"), "write cpu"),
        (
            ("search", *DIGITS, "--objectives", "latency,macs", "--device", "ssh://pi@kitchen"),
            "table; make one: hwnas profile --device ssh://pi@kitchen --space digits, and name it",
        ),
        (
            (
                *("search", "--supernet", "digits", "--evaluate", "--objectives", "top1,macs", "--evals", 8),
                "--asynchronous",
            ),
            "it needs evaluations by several workers; add --workers N",
        ),
        (("evaluate", "--supernet", "digits-c3", "--sample", 2, "--out", "x.csv"), "have 10 classes, not 3"),
        (
            ("search", *DIGITS, "--objectives", "macs,params", "--searcher", "exact", "--population", 50),
            "population 50: exact has no generations; drop --population",
        ),
        (("search", *DIGITS, "--objectives", "macs,params", "--evals", 20), "drop --evals, or add --evaluate"),
        (("search", *DIGITS, "--objectives", "macs,params", "--data", "photos"), "drop --data, or add --evaluate"),
        (
            ("train", "--supernet", "digits-c7", "--out", "t.safetensors"),
            "its own data have 10 classes, but its head has 7",
        ),
        (("train", "--supernet", "digits", "--out", "t.safetensors", "--metric", "f2"), "did you mean 'f1'"),
        (("train", "--supernet", "digits", "--out", "t.safetensors", "--text-column", "x"), "drop --text-column"),
        (("train", "--supernet", "digits", "--out", "t.safetensors", "--epochs", 1, "--steps", 1), "drop --epochs"),
        (
            ("search", *DIGITS, "--budget", "top1>=0.75"),
            'top1 lies within 0..100 percent; write for example "top1>=75"',
        ),
        (("search", *DIGITS, "--budget", "top1>=750"), "top1 lies within 0..100 percent"),
        (("search", *DIGITS, "--budget", "f1>=900"), 'f1 lies within 0..100; write for example "f1>=75"'),
        (("search", *DIGITS, "--budget", "mcc>=45"), 'write for example "mcc>=0.75"'),
        (
            ("search", *DIGITS, "--objectives", "top1,swap"),
            "objective top1: the search evaluates swap_score; drop top1",
        ),
        (("export", "--supernet", "digits", "--arch", "{}", "--random-weights", "--images", 9), "drop --images"),
        (("fit", "acc.csv", *DIGITS, "--out", "acc.csv"), "would be lost; write --out acc-2.csv"),
        (("evaluate", "--supernet", "acc.csv", "--sample", 1, "--out", "x.csv"), "there is no such supernet"),
        (
            ("evaluate", "--supernet", "own.safetensor", "--sample", 1, "--out", "x.csv"),
            "did you mean own.safetensors?",
        ),
        (("spaces", "--space", "my/own.onx"), "did you mean my/own.onnx?"),
        (("spaces", "--space", "my/own.py"), "write my/own.py:NAME, with the name of the class"),
        (("export", "--supernet", "digits", "--arch", "{}", "--out", "net.tflite"), "write --out net.onnx"),
        (
            ("evaluate", "--supernet", "digits", "--sample", 1, "--out", "acc"),
            "ends in .csv or .csv.gz; write --out acc.csv",
        ),
        (("predict", "acc.csv", *DIGITS, "--out", "p.txt"), "ends in .csv or .csv.gz; write --out p.csv"),
        (("library", "check", "acc.csv", "--data", "d", "--out", "check"), "write --out check.csv"),
        (("train", "--supernet", "digits", "--out", "own/t"), "write --out own/t.safetensors"),
    ],
    ids=lambda words: " ".join(map(str, words)) if isinstance(words, tuple) else "",
)
def test_they_are_refused(hwnas: Hwnas, folder: Path, words: tuple[object, ...], complaint: str) -> None:
    ran = hwnas(*words)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1), ran.err
    assert complaint in ran.err
    assert [path.name for path in folder.iterdir()] == ["acc.csv"]


def test_a_front_is_not_replaced_by_accuracies_that_its_json_calls_predicted(hwnas: Hwnas) -> None:
    evaluate = (
        "evaluate",
        "--supernet",
        "digits",
        "--sample",
        1,
        "--fix",
        "r=8",
        "--images",
        20,
        "--out",
        "pareto.csv",
    )
    write_provenance({"space": {"name": "digits"}}, "pareto.json")
    ran = hwnas(*evaluate)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "pareto.json describes subnets that were searched or predicted; write --out measured.csv, or" in ran.err
    Path("pareto.json").write_text('{"of": "another program"}')
    assert hwnas(*evaluate).code == 0


def test_measured_accuracies_are_not_replaced_by_predicted_ones(hwnas: Hwnas, accuracies: Path) -> None:
    before = accuracies.read_bytes()
    fitted = hwnas("fit", "acc.csv", *DIGITS, "--model", "additive", "--folds", 2, "--out", "p.safetensors")
    assert fitted.code == 0, fitted.err
    predicted = ("predict", "acc.csv", *DIGITS, "--predictor", "p.safetensors", "--out")
    ran = hwnas(*predicted, "acc.csv")
    assert ran.code == 2
    assert "whose top1 is measured; write --out predicted.csv" in ran.err
    assert accuracies.read_bytes() == before
    assert hwnas(*predicted, "predicted.csv").code == 0
    assert hwnas("predict", "predicted.csv", *predicted[2:], "predicted.csv").code == 0
