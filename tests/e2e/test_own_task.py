"""A task of the user's, brought by a supernet of theirs: trained on, evaluated by, searched by its own metric."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from hwnas.space import macs_cost
from hwnas.supernet import random_supernet
from tests.e2e.conftest import Hwnas

MINE = '''
import torch
from hwnas.supernet.digits import Digits
from hwnas.task import DigitsData, Estimate, macro_f1


def odd_recall(scored):
    """Share of odd digits that are found, in percent: a metric that hwnas does not know."""
    hits = n = 0
    for logits, labels in scored:
        hits += int((logits.argmax(1)[labels == 1] == 1).sum())
        n += int((labels == 1).sum())
    return 100 * hits / n


def sure_recall(scored):
    """The same with its standard error, that of a share."""
    batches = list(scored)
    share, n = odd_recall(batches) / 100, sum(int((labels == 1).sum()) for _, labels in batches)
    return Estimate(100 * share, std=100 * max(share * (1 - share) / n, 1e-4) ** 0.5)


class OddDigits(DigitsData):
    """Odd or even: the labels of another task on the same images, and another metric."""

    metrics = {"METRIC": SCORE}
    labels = ("even", "odd")

    def training_batch(self, step, seed):
        images, labels = super().training_batch(step, seed)
        return images, labels % 2

    def validation(self, specs):
        for images, labels in super().validation(specs):
            yield images, labels % 2


class Mine(Digits):
    metric = "METRIC"

    @classmethod
    def search_space(cls):
        from hwnas.space import get_space, with_classes

        return with_classes(get_space("digits"), 2)

    @classmethod
    def default_checkpoint(cls):
        return None

    @classmethod
    def data(cls):
        return OddDigits()
'''


@pytest.mark.parametrize(
    ("metric", "score", "objective", "told"),
    [
        ("f1", "macro_f1", "f1", "expected by 8 subnets measured"),
        ("odd_recall", "odd_recall", "odd_recall:max", "measured"),
        ("odd_recall", "sure_recall", "odd_recall:max", "expected by 8 subnets measured"),
    ],
)
def test_from_training_to_a_front_by_a_task_of_ones_own(
    metric: str, score: str, objective: str, told: str, hwnas: Hwnas
) -> None:
    Path("mine.py").write_text(MINE.replace("METRIC", metric).replace("SCORE", score))
    ran = hwnas("train", "--supernet", "mine.py:Mine", "--steps", 3, "--out", "own.safetensors")
    assert ran.code == 0, ran.err
    assert metric.replace("_", " ") in ran.err
    assert "on 600 images" in ran.err
    search = ("search", "--supernet", "own.safetensors", "--fix", "r=8", "--evaluate", "--evals", 8)
    ran = hwnas(*search, "--objectives", "params,macs")
    assert f"add it: --objectives {objective},params,macs" in ran.err
    ran = hwnas(*search, "--objectives", f"{objective},macs")
    assert ran.code == 0, ran.err
    frame, facts = pd.read_csv("pareto.csv"), json.loads(Path("pareto.json").read_text())
    assert frame[metric].between(0, 100).all()
    assert frame[metric].is_monotonic_decreasing
    assert set(frame[f"{metric}_source"]) == {f"{told} on 600 images of own.safetensors"}
    assert (f"{metric}_std" in frame) == told.startswith("expected")
    assert facts["weights"]["file"] == "own.safetensors"
    ran = hwnas("export", "pareto.csv", "--row", 1, "--out", "best.onnx")
    assert ran.code == 0, ran.err
    assert "measured on 600 images" in ran.err


NO_DATA = [
    ("return 3", "its data() returns int, which has no metrics; return a hwnas.task.Task, or None"),
    ("raise OSError('gone')", "its data() fails (OSError: gone); correct the plug-in"),
    ("found = OddDigits(); found.metrics = {}; return found", "its data() has no metrics; name a score"),
]


@pytest.mark.parametrize(("body", "complaint"), NO_DATA)
def test_data_that_are_no_task_are_one_line(body: str, complaint: str, hwnas: Hwnas) -> None:
    text = MINE.replace("METRIC", "f1").replace("SCORE", "macro_f1").replace("return OddDigits()", body)
    Path("mine.py").write_text(text)
    net = random_supernet("mine.py:Mine")
    net.save("own.safetensors")
    arch = json.dumps(net.space.decode(macs_cost(net.space).minimum()[1]))
    for command in (
        ("train", "--steps", 1, "--out", "x.safetensors"),
        ("search", "--evaluate", "--checkpoint", "own.safetensors", "--objectives", "f1,macs"),
        ("export", "--arch", arch, "--checkpoint", "own.safetensors"),
    ):
        ran = hwnas(*command, "--supernet", "mine.py:Mine")
        assert (ran.code, ran.out) == (2, ""), ran.err
        assert f"error: supernet Mine: {complaint}" in ran.err


UNFIT = {
    "validation": "def validation(self, specs): yield from ((x[..., :3], y) for x, y in super().validation(specs))",
    "calibration": "def calibration(self, specs): yield from (x[..., :3] for x in super().calibration(specs))",
    "training_batch": "def training_batch(self, *at): x, y = super().training_batch(*at); return lambda s: x(s)[..., :3], y",
}


@pytest.mark.parametrize("split", UNFIT)
def test_batches_that_do_not_fit_the_network_are_one_line(split: str, hwnas: Hwnas) -> None:
    text = MINE.replace("METRIC", "f1").replace("SCORE", "macro_f1").replace("return OddDigits()", "return Unfit()")
    Path("mine.py").write_text(f"{text}\n\nclass Unfit(OddDigits):\n    {UNFIT[split]}\n")
    command: tuple[object, ...] = ("train", "--supernet", "mine.py:Mine", "--steps", 1, "--out", "b.safetensors")
    if split != "training_batch":
        random_supernet("mine.py:Mine").save("own.safetensors")
        command = ("evaluate", "--supernet", "own.safetensors", "--sample", 2, "--out", "a.csv")
    ran = hwnas(*command)
    assert ran.code == 2
    said = ran.err.splitlines()[-1]
    assert re.match(
        r"error: a batch of Unfit: its input is float32 of shape \(\d+, 1, (\d+), 3\), and the network", said
    )
    assert re.search(r"is fed float32 of shape \(n, 1, (\d+), \1\); make batches of the specs that its", said)
