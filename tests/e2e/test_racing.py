"""``--racing``: the same files with any number of workers and whatever is killed; what is on the front saw all; bad input."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.space import get_space
from hwnas.supernet import evaluate, load_supernet
from tests.e2e.conftest import Hwnas
from tests.e2e.test_workers import RACE, files, started, wait_for_lines


def test_files_are_the_same_with_workers_and_after_a_kill_and_the_front_saw_everything(hwnas: Hwnas) -> None:
    ran = hwnas(*RACE, "--out", "alone.csv")
    assert ran.code == 0, ran.err
    with started(*RACE, "--workers", "2", "--out", "apart.csv") as driver:
        wait_for_lines(Path("apart.csv.journal.jsonl"), 30, driver)
        driver.kill()
    ran = hwnas(*RACE, "--out", "apart.csv")
    assert ran.code == 0, ran.err
    assert "evaluated subnets; none is shown a sample twice, and some are shown more" in ran.err
    assert files("apart") == files("alone")

    space, frame = get_space("digits"), pd.read_csv("alone.csv")
    told = json.loads(Path("alone.json").read_text())["evaluator"]["racing"]
    assert told["tolerance"] == 0.002
    assert 20 < told["shown_pct"] < 80
    expected_by = f"expected by {told['shown_all'] + told['stopped']} subnets"
    assert set(frame["top1_source"]) == {f"{expected_by} measured on 600 images of digits"}
    entries = [json.loads(line) for line in Path("alone.csv.journal.jsonl").read_text().splitlines()[1:]]
    shown: Counter[bytes] = Counter()
    for entry in entries:
        start, stop = entry.get("samples", (0, 0))
        row = space.encode(entry["arch"]).tobytes()
        assert start in (0, shown[row])
        shown[row] += stop - start
    assert sum(shown.values()) / (600 * len(shown)) == pytest.approx(told["shown_pct"] / 100, abs=1e-4)
    assert sorted(shown.values()).count(600) == told["shown_all"]
    stopped = {space.encode(e["arch"]).tobytes(): e["expected"] for e in entries if "expected" in e}
    assert len(stopped) == told["stopped"] == len(shown) - told["shown_all"]
    assert all(e["n_images"] == shown[row] < 600 for row, e in stopped.items())
    net = load_supernet("digits")
    data = net.data()
    assert data is not None
    for arch, value in zip(frame["arch"], frame["top1_measured"], strict=True):
        x = space.encode(json.loads(arch))
        assert shown[x.tobytes()] == 600
        assert evaluate(net, x, data).value == pytest.approx(value, abs=1e-6)
    for bits, expected in list(stopped.items())[:4]:
        exact = evaluate(net, np.frombuffer(bits, np.int16), data).value
        assert abs(exact - expected["top1"]) < 5 * expected["std"] + 1


PLUGIN = """
from hwnas.supernet.digits import Digits
from hwnas.task import DigitsData, macro_f1


class Uneven(DigitsData):
    metrics = {"f1": macro_f1}


class Few(DigitsData):
    n_validation = 150


class Whole:
    metrics, labels = DigitsData.metrics, DigitsData.labels
    calibration, validation = DigitsData().calibration, DigitsData().validation


class Fragile(Digits):
    def extract(self, row):
        if self.space.decode(row)["e"][0] == 2:
            raise RuntimeError("no kernel for it")
        return super().extract(row)


def with_data(kind, name):
    return type(name, (Digits,), {"data": classmethod(lambda cls: kind()), "metric": next(iter(kind.metrics))})


F1, Short, Closed = (with_data(kind, name) for kind, name in ((Uneven, "F1"), (Few, "Short"), (Whole, "Closed")))
"""


def test_subnets_that_always_fail_are_skipped_or_stop_the_race(hwnas: Hwnas, folder: Path) -> None:
    (folder / "own.py").write_text(PLUGIN)
    own = ["own.py:Fragile" if word == "digits" else word for word in RACE]
    ran = hwnas(*own)
    assert ran.code == 2
    assert "RuntimeError: no kernel for it; correct the cause" in ran.err.splitlines()[-1]
    ran = hwnas(*own, "--on-failure", "skip")
    assert ran.code == 0, ran.err
    assert all(json.loads(arch)["e"][0] != 2 for arch in pd.read_csv("pareto.csv")["arch"])
    assert all(arch["e"][0] == 2 for arch in json.loads(Path("pareto.json").read_text())["evaluator"]["failed"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("search", "--racing"), "racing: subnets only race if they are evaluated; add --evaluate, or drop it"),
        ((*RACE, "--workers", 2, "--asynchronous"), "racing with asynchronous: a race waits for whole batches"),
        ((*RACE, "--budget", "top1<=90"), "racing with top1 <= ...: a better subnet may break that budget"),
        (("own.py:F1", "f1,macs"), "--racing: f1 is not the share of correct samples"),
        (("own.py:Short", "top1,macs"), "racing: 150 samples are too few to be shown in shares"),
        (("own.py:Closed", "top1,macs"), "racing: Whole has no method validation_of, which gives some of its samples"),
    ],
)
def test_wrong_values_are_one_line(args, words, hwnas: Hwnas, folder: Path) -> None:
    (folder / "own.py").write_text(PLUGIN)
    if args[0].startswith("own.py"):
        args = ("search", "--evaluate", "--supernet", args[0], "--objectives", args[1], "--evals", 8, "--racing")
    ran = hwnas(*args)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith("error: ")
    assert words in ran.err


def test_a_journal_of_a_race_is_no_other_ones(hwnas: Hwnas) -> None:
    few = ["8" if word == "24" else word for word in RACE]
    assert hwnas(*few).code == 0
    ran = hwnas(*few[:-1])
    assert ran.code == 2
    assert "it was begun with racing 0.002, not without" in ran.err


@pytest.mark.parametrize("rule", [None, "margins, together"])
def test_a_journal_of_an_older_rule_is_refused(hwnas: Hwnas, rule: str | None) -> None:
    """By right and wrong alone; or by what would be measured on all samples."""
    few = ["8" if word == "24" else word for word in RACE]
    assert hwnas(*few).code == 0
    journal = Path("pareto.csv.journal.jsonl")
    header, *entries = journal.read_text().splitlines()
    before = {**json.loads(header), "racing_by": rule}
    journal.write_text("\n".join([json.dumps(before), *entries, ""]))
    ran = hwnas(*few)
    assert ran.code == 2
    begun = f"with racing_by {json.dumps(rule)}, not" if rule else "without racing_by, not with"
    assert f'it was begun {begun} "margins, expected"; resume it as it was begun, or delete it' in ran.err
