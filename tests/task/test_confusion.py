"""Standard errors of F1 and of Matthews' correlation, against what many data sets of known confusion give."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hwnas.task import SCORES, Estimate, Scored, share_errors
from hwnas.task._confusion import _estimated

Table = NDArray[np.float64]


def confusion(shares: list[float], right: list[float]) -> Table:
    """Chances of labels and predictions; wrong predictions have the shares of the other classes."""
    likely = np.array(shares) / np.sum(shares)
    wrong = np.tile(likely, (len(likely), 1))
    np.fill_diagonal(wrong, 0.0)
    wrong *= (likely * (1 - np.array(right)) / wrong.sum(1))[:, None]
    return wrong + np.diag(likely * right)


def scored(table: Table) -> Scored:
    """Labels and logits with these numbers of samples."""
    labels, told = np.divmod(np.repeat(np.arange(table.size), table.astype(int).ravel()), len(table))
    return [(torch.eye(len(table))[told], torch.from_numpy(labels))]


KNOWN = {
    "two equal classes": (confusion([1, 1], [0.9, 0.9]), 200),
    "a class of a twentieth": (confusion([95, 5], [0.99, 0.6]), 1000),
    "four rare classes of six": (confusion([45, 42, 3, 3, 4, 3], [0.97, 0.95, 0.7, 0.75, 0.8, 0.7]), 500),
    "as good as chance": (confusion([6, 3, 1], [0.6, 0.3, 0.1]), 200),
    "a class without samples": (np.array([[0.45, 0.1, 0.05], [0.1, 0.2, 0.1], [0, 0, 0]]), 300),
}


@pytest.mark.parametrize("metric", ["f1", "mcc"])
@pytest.mark.parametrize("known", KNOWN)
def test_the_choice_of_samples_moves_a_score_by_its_standard_error(known: str, metric: str) -> None:
    chances, n = KNOWN[known]
    score = SCORES[metric]
    truth = score(scored(np.round(1e6 * chances)))
    drawn = np.random.default_rng(0).multinomial(n, chances.ravel(), size=300).reshape(300, *chances.shape)
    found = [score(scored(table)) for table in drawn]
    values, errors = np.array(found), np.array([each.std for each in found if isinstance(each, Estimate)])
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.12)
    assert 0.91 <= np.mean(np.abs(values - truth) <= 1.96 * errors) <= 0.98


@pytest.mark.parametrize("metric", ["f1", "mcc"])
def test_the_error_halves_with_four_times_the_samples(metric: str) -> None:
    table = np.array([[400.0, 20], [30, 50]])
    few, many = SCORES[metric](scored(table)), SCORES[metric](scored(4 * table))
    assert isinstance(few, Estimate)
    assert isinstance(many, Estimate)
    assert many == pytest.approx(few)
    assert many.std == pytest.approx(few.std / 2, rel=0.01)


@pytest.mark.parametrize("metric", ["f1", "mcc"])
@pytest.mark.parametrize("told", [[[90, 0], [0, 10]], [[90, 0], [10, 0]], [[0, 90], [10, 0]]])
def test_perfect_constant_and_always_wrong_answers_have_an_error(metric: str, told: list[list[int]]) -> None:
    few, many = (SCORES[metric](scored(np.array(told, dtype=float) * times)) for times in (1, 100))
    assert isinstance(few, Estimate)
    assert isinstance(many, Estimate)
    assert 0 < many.std < few.std / 5
    assert few.std < (15 if metric == "f1" else 0.15)


@pytest.mark.parametrize("metric", ["f1", "mcc"])
@pytest.mark.parametrize("told", [[[9, 0], [0, 0]], [[5, 4], [0, 0]]])
def test_samples_of_one_class_tell_no_error(metric: str, told: list[list[int]]) -> None:
    assert type(SCORES[metric](scored(np.array(told, dtype=float)))) is float


def test_that_of_the_share_of_right_answers_is_the_binomial_one() -> None:
    for table in (np.array([[50.0, 3], [2, 45]]), np.array([[80.0, 0], [0, 20]])):
        found = _estimated(lambda t: 100 * t.trace() / t.sum(), torch.from_numpy(table))
        assert isinstance(found, Estimate)
        assert found.std == pytest.approx(share_errors(np.array([found]), 100)[0])


def test_scores_are_computed_where_nothing_is_differentiated() -> None:
    table = np.array([[40.0, 3], [2, 5]])
    expected = SCORES["f1"](scored(table))
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            found = SCORES["f1"](scored(table))
            assert isinstance(found, Estimate)
            assert math.isclose(found.std, expected.std)  # type: ignore[attr-defined]
