"""A task of the user's, brought by a supernet of theirs: trained on, evaluated by, searched by its own metric."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from tests.e2e.conftest import Hwnas

MINE = '''
import torch
from hwnas.supernet.digits import Digits
from hwnas.task import DigitsData, macro_f1


class OddDigits(DigitsData):
    """Odd or even: the labels of another task on the same images, and another metric."""

    metrics = {"f1": macro_f1}
    labels = ("even", "odd")

    def training_batch(self, step, seed):
        images, labels = super().training_batch(step, seed)
        return images, labels % 2

    def validation(self, specs):
        for images, labels in super().validation(specs):
            yield images, labels % 2


class Mine(Digits):
    metric = "f1"

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


def test_from_training_to_a_front_by_a_task_of_ones_own(hwnas: Hwnas) -> None:
    Path("mine.py").write_text(MINE)
    ran = hwnas("train", "--supernet", "mine.py:Mine", "--steps", 3, "--out", "own.safetensors")
    assert ran.code == 0, ran.err
    assert "f1" in ran.err
    assert "on 600 images" in ran.err
    search = ("search", "--supernet", "own.safetensors", "--fix", "r=8", "--evaluate", "--evals", 8)
    ran = hwnas(*search, "--objectives", "f1,macs")
    assert ran.code == 0, ran.err
    frame, facts = pd.read_csv("pareto.csv"), json.loads(Path("pareto.json").read_text())
    assert list(frame.columns[:2]) == ["row", "f1"]
    assert frame["f1"].between(20, 100).all()
    assert set(frame["f1_source"]) == {"measured on 600 images of own.safetensors"}
    assert facts["weights"]["file"] == "own.safetensors"
