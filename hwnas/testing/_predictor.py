"""What every predictor must do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import PredictorError, SpaceError
from hwnas.predictor import MIN_SUBNETS, Predictor
from hwnas.space import Population, SearchSpace, get_space, macs_cost
from hwnas.testing._check import Check, refused, require

New = Callable[[SearchSpace], Predictor]
"""Makes an unfitted predictor for a space: the predictor's class, say."""


def it_gives_a_number_and_a_spread_per_row(new: New) -> None:
    """Predictions and standard deviations are ``(n,)`` finite floats, also for no rows; the latter are not negative."""
    for n in (0, 1, 7):
        x = _space().sample(n, np.random.default_rng(0))
        for values in (_fitted(new).predict(x), _fitted(new).predict_std(x)):
            require(
                values.shape == (n,) and values.dtype == np.float64, f"{n} rows give {values.dtype}, {values.shape}"
            )
            require(np.isfinite(values).all(), "a prediction is not finite")
        require((_fitted(new).predict_std(x) >= 0).all(), "a standard deviation is negative")


def draws_have_their_mean_and_spread(new: New) -> None:
    """The mean of draws is the prediction, and their standard deviation the predicted one."""
    x = _space().sample(7, np.random.default_rng(0))
    mean, std = _fitted(new).predict(x), _fitted(new).predict_std(x)
    drawn = _fitted(new).draws(x, 1000, np.random.default_rng(1))
    require(drawn.shape == (1000, 7), f"1000 draws of 7 rows have shape {drawn.shape}")
    require((np.abs(drawn.mean(axis=0) - mean) <= 0.2 * std + 1e-4).all(), "the mean of draws is not the prediction")
    require((np.abs(drawn.std(axis=0) - std) <= 0.2 * std + 1e-4).all(), "draws have another standard deviation")


def rows_are_scored_alike_in_company(new: New) -> None:
    """A row's prediction does not depend on the other rows of the call."""
    x = _space().sample(20, np.random.default_rng(0))
    alone, among = _fitted(new).predict(x[3:4])[0], _fitted(new).predict(x)[3]
    require(abs(alone - among) <= 1e-4, f"alone it is {alone}, among others {among}")


def it_learns(new: New) -> None:
    """Fitted to a smooth metric of 60 subnets, its predictions for others have a correlation above 0.8 with the metric."""
    x = _space().sample(200, np.random.default_rng(7), distinct_uniform=False)
    found = float(np.corrcoef(_fitted(new).predict(x), np.log(macs_cost(_space())(x)))[0, 1])
    require(found > 0.8, f"the correlation is {found:.2f}")


def genes_without_effect_do_not_matter(new: New) -> None:
    """Fitted to rows with arbitrary values of switched-off genes, it predicts the same."""
    x, y = _data()
    noisy = np.where(_space().active(x), x, np.random.default_rng(0).integers(0, 2, x.shape)).astype(np.int16)
    fresh = _space().sample(20, np.random.default_rng(1))
    np.testing.assert_allclose(new(_space()).fit(noisy, y).predict(fresh), _fitted(new).predict(fresh), rtol=1e-6)


def a_fit_depends_on_its_data_alone(new: New) -> None:
    """Fitted a second time, it forgets the data of the first time."""
    x, y = _data()
    fresh = _space().sample(20, np.random.default_rng(1))
    again = new(_space()).fit(x[30:], -y[30:]).fit(x[:30], y[:30])
    np.testing.assert_array_equal(again.predict(fresh), new(_space()).fit(x[:30], y[:30]).predict(fresh))


def states_are_taken_on(new: New) -> None:
    """``restore(*state())`` makes an equal predictor, for whatever part of the space it was made."""
    x, model = _space().sample(20, np.random.default_rng(0)), _fitted(new)
    for part in (_space().whole, _space(), _space().restrict(r=208, ks=[3, 7])):
        other = new(part)
        other.restore(*model.state())
        np.testing.assert_array_equal(other.predict(x), model.predict(x))
        np.testing.assert_array_equal(other.predict_std(x), model.predict_std(x))


def it_serves_its_own_space_only(new: New) -> None:
    """Other spaces, and rows that are not of its space, are refused."""
    model, other = _fitted(new), get_space("ofa_resnet50")
    with refused(PredictorError, other.name):
        model.covered(other)
    with refused(SpaceError, f"{_space().n_genes} integer genes"):
        model.predict(other.sample(2, np.random.default_rng(0)))
    with refused(SpaceError, "integer"):
        model.predict(_space().sample(2, np.random.default_rng(0)).astype(float))
    with refused(SpaceError, "choice 3: ks[0] of ofa_mbv3_w1.0 has choices 0 to 2"):
        model.predict(np.full((1, _space().n_genes), 3, dtype=np.int16))


def what_it_never_saw_is_refused(new: New) -> None:
    """Resolutions outside its training data are refused, and ``covered`` leaves them out."""
    model, whole = _fitted(new), _space().whole
    with refused(PredictorError, "r = 128"):
        model.predict(whole.restrict(r=128).sample(2, np.random.default_rng(0)))
    covered = [whole.genes[-1].choices[i] for i in model.covered(whole).domain[-1]]
    require(covered == list(range(192, 225, 4)), f"fitted to 192, 208 and 224 it covers {covered}")
    with refused(PredictorError, "covers"):
        model.covered(whole.restrict(r=[128, 132]))


def coverage_can_be_extended(new: New) -> None:
    """After ``extend_coverage`` it also predicts the given rows."""
    model = new(_space()).fit(*_data())
    wider = _space().whole.restrict(r=[160, 224]).sample(8, np.random.default_rng(0))
    model.extend_coverage(wider)
    require(np.isfinite(model.predict(wider)).all() and np.isfinite(model.predict_std(wider)).all(), "not finite")


def bad_targets_are_refused(new: New) -> None:
    """Targets that are not finite (the message names the row), too few targets, and a noise of zero are refused."""
    x, y = _data()
    row = np.arange(len(y))
    for bad, words in (
        (np.where(row == 4, np.nan, y), "row 5"),
        (np.where(row == 0, np.inf, y), "row 1"),
        (y[:-1], "need as many"),
    ):
        with refused(PredictorError, words):
            new(_space()).fit(x, bad)
    with refused(PredictorError, "positive"):
        new(_space()).fit(x, y, np.zeros(len(y)))


def too_few_subnets_are_refused(new: New) -> None:
    """``MIN_SUBNETS`` distinct subnets are needed, and suffice."""
    x, y = _data()
    few = MIN_SUBNETS - 1
    with refused(PredictorError, f"at least {MIN_SUBNETS}"):
        new(_space()).fit(np.repeat(x[:few], 5, axis=0), np.repeat(y[:few], 5))
    enough = new(_space()).fit(x[:MIN_SUBNETS], y[:MIN_SUBNETS])
    require(np.isfinite(enough.predict(x)).all(), "fitted to the fewest subnets, its predictions are not finite")


def constant_targets_do_no_harm(new: New) -> None:
    """Fitted to one value everywhere, it predicts that value."""
    x, _ = _data()
    np.testing.assert_allclose(new(_space()).fit(x, np.full(len(x), 71.0)).predict(x), 71.0, atol=1e-3)


def an_unfitted_one_says_so(new: New) -> None:
    """Before it is fitted, predictions raise PredictorError."""
    with refused(PredictorError, "not fitted"):
        new(_space()).predict(_data()[0])


@cache
def _space() -> SearchSpace:
    return get_space("ofa_mbv3_w1.0").restrict(r=[192, 208, 224])


@cache
def _data() -> tuple[Population, NDArray[np.float64]]:
    x = _space().sample(60, np.random.default_rng(0), distinct_uniform=False)
    return x, 60 + np.log(macs_cost(_space())(x))


@lru_cache(maxsize=1)
def _fitted(new: New) -> Predictor:
    return new(_space()).fit(*_data())


PREDICTOR_CHECKS: Sequence[Check] = (
    it_gives_a_number_and_a_spread_per_row,
    draws_have_their_mean_and_spread,
    rows_are_scored_alike_in_company,
    it_learns,
    genes_without_effect_do_not_matter,
    a_fit_depends_on_its_data_alone,
    states_are_taken_on,
    it_serves_its_own_space_only,
    what_it_never_saw_is_refused,
    coverage_can_be_extended,
    bad_targets_are_refused,
    too_few_subnets_are_refused,
    constant_targets_do_no_harm,
    an_unfitted_one_says_so,
)
"""Checks of a function that makes an unfitted predictor: a Predictor's class, or ``lambda space: Mine(space, seed=1)``."""
