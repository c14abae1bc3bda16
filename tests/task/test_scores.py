"""Scores of classifiers against scikit-learn's, over any labels, answers and batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from hwnas.task import SCORES, macro_f1, matthews, top1

CLASSES = 4
ANSWERS = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60)


def batches(answers: list[tuple[int, int]], size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Logits whose largest is the answer, with labels."""
    pairs = torch.tensor(answers)
    logits = torch.nn.functional.one_hot(pairs[:, 1], CLASSES).float() - 0.5
    return list(zip(logits.split(size), pairs[:, 0].split(size), strict=True))


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(deadline=None, max_examples=60)
@given(ANSWERS, st.integers(1, 17))
def test_scores_are_those_of_scikit_learn(answers: list[tuple[int, int]], size: int) -> None:
    labels, told = np.array(answers).T
    scored = batches(answers, size)
    assert math.isclose(top1(scored), 100 * accuracy_score(labels, told))
    assert math.isclose(macro_f1(scored), 100 * f1_score(labels, told, average="macro"), abs_tol=1e-9)
    assert math.isclose(matthews(scored), matthews_corrcoef(labels, told), abs_tol=1e-9)


def test_of_no_samples_there_is_no_score() -> None:
    assert math.isnan(top1([]))
    assert math.isnan(macro_f1([]))


@pytest.mark.parametrize("name", SCORES)
def test_scores_take_batches_from_a_generator_once(name: str) -> None:
    scored = batches([(0, 0), (1, 1), (2, 3), (3, 3)], 2)
    assert SCORES[name](iter(scored)) == SCORES[name](scored)
