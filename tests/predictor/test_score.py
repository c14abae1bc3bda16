"""Scores against their definitions, folds without leaks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hwnas.errors import PredictorError
from hwnas.predictor import folds, k_fold, new_predictor, score, subnet_groups
from hwnas.predictor._score import curve_point, curve_sizes
from hwnas.space import get_space, macs_cost


def test_scores_follow_their_definitions():
    predicted, measured = np.array([70.0, 72.0, 71.0, 75.0]), np.array([70.5, 71.0, 72.0, 74.0])
    s = score(predicted, measured, np.array([0.3, 0.4, 0.6, 0.5]))
    pairs = list(itertools.combinations(range(4), 2))
    agree = [np.sign(predicted[i] - predicted[j]) * np.sign(measured[i] - measured[j]) for i, j in pairs]
    assert s.tau == pytest.approx(sum(agree) / len(pairs))
    assert s.rmse == pytest.approx(np.sqrt((0.25 + 1 + 1 + 1) / 4))
    assert s.mape == pytest.approx(100 * np.mean([0.5 / 70.5, 1 / 71, 1 / 72, 1 / 74]))
    assert s.bias == pytest.approx(0.125)
    assert s.coverage == pytest.approx(0.75)
    told, in_joules = s.as_dict(), score(1e-9 * predicted, 1e-9 * measured).as_dict()
    assert in_joules["rmse"] == pytest.approx(1e-9 * told["rmse"], rel=1e-4)


def test_no_subnet_is_on_both_sides_of_a_fold():
    space = get_space("ofa_mbv3_w1.0")
    x = np.repeat(space.sample(40, np.random.default_rng(0)), 3, axis=0)
    x[::3, -1] = 0  # the same network at another resolution is the same network
    groups = subnet_groups(space, x)
    masks = folds(groups, 5)
    assert np.sum(masks, axis=0).tolist() == [1] * len(x)
    for held in masks:
        assert not set(groups[held]) & set(groups[~held])
    with pytest.raises(PredictorError, match="folds need"):
        folds(groups % 3, 5)


def test_a_fold_that_leaves_too_few_says_how_many():
    space = get_space("digits")
    x = space.sample(9, np.random.default_rng(0))
    with pytest.raises(
        PredictorError, match=r"9 distinct subnets: training without one of 5 folds leaves 7.* at least 8"
    ):
        k_fold(lambda: new_predictor("ridge", space), space, x, np.arange(9.0), k=5)


def test_cross_validation_predicts_every_row_and_the_curve_improves():
    space = get_space("ofa_mbv3_w1.0").restrict(r=[160, 224])
    x = space.sample(160, np.random.default_rng(0), distinct_uniform=False)
    y = 70 + 3 * np.log(macs_cost(space)(x) / 1e8) + 0.2 * x[:, 0]

    def new():
        return new_predictor("ridge", space)

    predicted, std = k_fold(new, space, x, y, k=4)
    assert score(predicted, y).tau > 0.9
    assert (std > 0).all()
    sizes = curve_sizes(160)
    assert sizes == [25, 50, 100, 128]
    few, *_, many = (curve_point(new, space, x, y, size, repeats=2) for size in sizes)
    assert (few.n, many.n) == (135, 32)
    assert many.rmse < few.rmse
