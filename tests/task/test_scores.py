"""Scores of classifiers against scikit-learn's, over any labels, answers and batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from hwnas.errors import DataError
from hwnas.space import TensorSpec
from hwnas.task import (
    SCORES,
    DigitsData,
    Estimate,
    Inputs,
    Score,
    Scored,
    macro_f1,
    matthews,
    measured,
    share_errors,
    top1,
)
from hwnas.task._scores import LEAST, MOST, is_right, margin

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


def test_a_margin_is_how_far_the_label_is_ahead() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.5], [3.0, 1.0, 2.5], [-1.0, -4.0, -2.0]])
    assert margin(logits, torch.tensor([0, 1, 2])).tolist() == [0.5, -2.0, -1.0]


def test_margins_have_the_sign_of_the_answer_whatever_the_logits() -> None:
    """Where they tie, overflow or are no numbers, too; and half precision holds them."""
    nan, inf = math.nan, math.inf
    logits = torch.tensor(
        [[0.0, 0, 0], [1, 1, 0], [1e30, 0, 0], [inf, inf, 0], [inf, -inf, 0], [nan, 0, 0], [nan, nan, nan]]
    )
    for label in range(3):
        labels = torch.full((len(logits),), label)
        margins = margin(logits, labels).numpy().astype(np.float16)
        assert ((margins > 0) == is_right(logits, labels).numpy()).all()
        assert (np.abs(margins) >= 0.99 * LEAST).all()
        assert (np.abs(margins) <= MOST).all()


def test_the_choice_of_samples_moves_an_accuracy_by_so_much() -> None:
    drawn = 100 * np.random.default_rng(0).binomial(400, 0.93, 20_000) / 400
    errors = share_errors(np.array([93.0, 0.0, 100.0]), 400)
    assert errors[0] == pytest.approx(drawn.std(), rel=0.02)
    assert (errors > 0).all()


class ScoredBy(DigitsData):
    """Digits, scored by any function."""

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.metrics = {"top1": score}


SPECS = {"input": TensorSpec((1, 8, 8))}


def read(scored: Scored, value: object) -> Any:
    return value if list(scored) else None


def logits_of(images: Inputs) -> torch.Tensor:
    return torch.zeros(len(images), 10)


@pytest.mark.parametrize("value", [50, np.float32(50), torch.tensor(50.0), torch.tensor([50.0])])
def test_a_score_may_be_any_number(value: object) -> None:
    found, n = measured(ScoredBy(lambda scored: read(scored, value)), SPECS, logits_of)
    assert (type(found), found, n) == (float, 50.0, 600)


def test_a_score_may_tell_its_standard_error() -> None:
    found, _ = measured(ScoredBy(lambda scored: Estimate(read(scored, 50), std=2)), SPECS, logits_of)
    assert isinstance(found, Estimate)
    assert float(found) == 50
    assert found.std == 2


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (lambda scored: read(scored, "high"), "top1 'high': a score is one number; return a float"),
        (lambda scored: read(scored, torch.ones(2)), r"top1 tensor\(\[1., 1.\]\): a score is one number"),
        (lambda scored: None if list(scored) else 1, "top1 None: a score is one number"),
        (lambda scored: Estimate(read(scored, 50), std=0), "standard error 0 of top1: it is a positive number"),
        (
            lambda scored: Estimate(read(scored, 50), std=math.nan),
            "standard error nan of top1: it is a positive number",
        ),
        (lambda _: 50.0, "no samples to measure on, or the score of top1 reads none"),
    ],
)
def test_a_score_that_is_no_number_is_refused(score: Score, words: str) -> None:
    with pytest.raises(DataError, match=words):
        measured(ScoredBy(score), SPECS, logits_of)
