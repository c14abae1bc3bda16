"""Correcting sums of scores by measured assemblies, against worlds in which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.errors import DataError
from hwnas.space import AdditiveCost, Population
from hwnas.space.families.block_library import block_library
from hwnas.study._additivity import Additivity, Growth, assemblies, corrected


def library(factors: np.ndarray) -> AdditiveCost:
    """Ten layers of four alternatives; scores, or what they are worth in truth."""
    scores = np.random.default_rng(0).lognormal(-3, 1, (10, 4))
    scores[:, -1] = 0
    layers, choices = np.repeat(np.arange(10), 4).tolist(), np.tile(np.arange(4), 10).tolist()
    return block_library(layers, choices, {"kl": (scores * factors).ravel()})[1]["kl"]


@pytest.fixture
def told() -> AdditiveCost:
    return library(np.ones((10, 4)))


@pytest.fixture
def x(told: AdditiveCost) -> Population:
    return assemblies(told.space, told, 60, np.random.default_rng(1))


@pytest.mark.parametrize("rate", [0.0, 0.4, 3.0])
def test_growth_is_found_and_undone(told: AdditiveCost, x: Population, rate: float) -> None:
    sums = told(x)
    grown = Growth(rate)(sums)
    np.testing.assert_allclose(Growth(rate).inverse(grown), sums)
    assert Growth.of(sums, grown).rate == pytest.approx(rate, abs=1e-3)
    assert (np.argsort(grown) == np.argsort(sums)).all()


def test_a_library_of_which_every_replacement_ruins_the_model_is_refused(told: AdditiveCost) -> None:
    with pytest.raises(DataError, match="between 0 and 2 nats"):
        assemblies(told.space, library(np.full((10, 4), 1e4)), 3, np.random.default_rng(0))


def test_assemblies_tell_what_alternatives_are_worth_together(told: AdditiveCost, x: Population) -> None:
    rng = np.random.default_rng(2)
    truth = library(rng.uniform(0.6, 1.4, (10, 4)))
    measured = Growth(0.5)(truth(x)) * rng.lognormal(0, 0.02, len(x))
    learned, unseen = slice(40), slice(40, None)
    cost, growth, left_out = corrected(told, x[learned], measured[learned])

    def off(predicted: np.ndarray, at: slice) -> float:
        return float(np.abs(predicted / measured[at] - 1).mean())

    assert growth.rate == pytest.approx(0.5, abs=0.25)
    after = off(growth(cost(x[unseen])), unseen)
    assert after < 0.5 * off(told(x[unseen]), unseen)
    assert off(left_out, learned) == pytest.approx(after, rel=0.6)
    assert Additivity.of(growth(cost(x)), measured).spearman > Additivity.of(told(x), measured).spearman
    parent = told.minimum()[1]
    assert cost(parent[None])[0] == 0
