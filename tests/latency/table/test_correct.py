"""Correction of a table by whole subnets: against the definition, and against truths it should find."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.latency import corrected
from hwnas.latency.table._correct import ENTRY, NOISE, SLOT, WHOLE
from hwnas.space import AdditiveCost, Factor, SearchSpace, get_space, macs_cost


def model(space: SearchSpace, rng: np.random.Generator | None = None, spread: float = 0.0) -> AdditiveCost:
    """10 ms per 300 M MACs; each entry off by a random share."""
    factors = []
    for factor in macs_cost(space).factors:
        error = 1 + spread * rng.standard_normal(factor.table.shape) if rng is not None else 1
        factors.append(Factor(factor.genes, factor.table / 3e7 * error))
    return AdditiveCost(space, factors)


def mape(cost: AdditiveCost, truth: AdditiveCost, x: np.ndarray) -> float:
    return float(100 * np.mean(np.abs(cost(x) / truth(x) - 1)))


SPACE = get_space("ofa_mbv3_w1.0").restrict(r=[160, 192, 224])


def test_it_is_the_posterior_mean_of_its_linear_model():
    rng = np.random.default_rng(0)
    cost, x = model(SPACE), SPACE.sample(6, rng)
    measured = cost(x) * rng.normal(1.02, 0.02, len(x))
    # The same in weight space: one column per unknown error, ridge by its prior.
    columns, priors = [cost(x)], [WHOLE]
    for f in cost.factors:
        at = np.ravel_multi_index(tuple(x[:, g].astype(int) for g in f.genes), f.table.shape)
        part = f.table.ravel()[at]
        columns.append(part)
        priors.append(SLOT)
        for entry in np.unique(at):
            columns.append(np.where(at == entry, part, 0))
            priors.append(ENTRY)
    a = np.stack(columns, axis=1) / (NOISE * measured)[:, None]
    b = (measured - cost(x)) / (NOISE * measured)
    errors = np.linalg.solve(a.T @ a + np.diag(1 / np.square(priors)), a.T @ b)
    expected = cost(x) + np.stack(columns, axis=1) @ errors
    np.testing.assert_allclose(corrected(cost, x, measured).cost(x), expected, rtol=1e-9)


def test_a_table_that_is_all_too_low_is_raised_everywhere():
    cost = model(SPACE)
    x = SPACE.sample(12, np.random.default_rng(1))
    found = corrected(cost, x, 1.06 * cost(x))
    fresh = SPACE.sample(100, np.random.default_rng(2))
    np.testing.assert_allclose(found.cost(fresh) / cost(fresh), 1.06, atol=0.012)
    assert found.bias_pct == pytest.approx(-100 * (1 - 1 / 1.06))
    assert found.after_pct < 1.2 < found.before_pct


def test_measuring_a_front_helps_on_subnets_like_it():
    rng = np.random.default_rng(3)
    cost, truth = model(SPACE), model(SPACE, rng, 0.15)
    pool = SPACE.sample(4000, rng)
    flattered = np.argsort(cost(pool) / truth(pool), kind="stable")[:80]  # what a search finds
    train, test = pool[flattered[::2]], pool[flattered[1::2]]
    found = corrected(cost, train, truth(train) * rng.normal(1, NOISE, len(train)))
    assert mape(found.cost, truth, test) < 0.5 * mape(cost, truth, test)
    # What a search chose says little of the rest, which the next round's measurements would put right.
    other = SPACE.sample(500, rng)
    again = np.concatenate([train, other[:20]])
    found = corrected(cost, again, truth(again))
    assert mape(found.cost, truth, other[20:]) < 1.5 * mape(cost, truth, other[20:])


def test_exact_measurements_change_nothing():
    cost = model(SPACE)
    x = SPACE.sample(8, np.random.default_rng(4))
    found = corrected(cost, x, cost(x))
    np.testing.assert_allclose(found.cost(x), cost(x))
    assert found.before_pct == found.after_pct == pytest.approx(0, abs=1e-9)
    assert np.isnan(found.cost.factors[0].table).sum() == np.isnan(cost.factors[0].table).sum()
