"""Problems, budgets and the pool of what was scored."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from hwnas.errors import InfeasibleError, SpaceError, UnknownNameError
from hwnas.search import Constraint, Objective, Problem, SearchProgress, SearchResult, run_search
from hwnas.search.problem._pool import Pool
from hwnas.space import AdditiveCost, get_space, macs_cost, params_cost


@pytest.fixture(scope="module")
def space():
    return get_space("ofa_mbv3_w1.0").restrict(r=[128, 224])


@pytest.fixture(scope="module")
def macs(space):
    return macs_cost(space)


@pytest.fixture(scope="module")
def params(space):
    return params_cost(space)


def test_a_budget_below_the_exact_minimum_is_refused_before_anything_is_scored(space, macs):
    latency = AdditiveCost.from_layers(space, lambda layer: layer.macs / 1e8)

    def never(_x):
        raise AssertionError

    problem = Problem(
        space,
        [Objective("top1", "%", True, never), Objective("latency_ms", "ms", False, latency)],
        [Constraint("latency_ms", "ms", latency, 0.2, device="phone")],
    )
    least = np.ceil(latency.minimum()[0] * 1e4) / 1e4  # rounded up: a budget that can be met
    with pytest.raises(InfeasibleError) as refused:
        run_search(problem)
    expected = f"no subnet of ofa_mbv3_w1.0 runs under 0.2 ms on phone; the fastest takes {least:.4g} ms"
    assert str(refused.value).endswith(expected)
    counts = Problem(space, [Objective("macs", "MACs", False, macs)], [Constraint("macs", "MACs", macs, 1e6)])
    with pytest.raises(InfeasibleError, match=r"stays within 1M MACs; the smallest needs"):
        run_search(counts)


def test_the_minimum_is_that_of_the_restricted_space(space, macs):
    small = macs.minimum()[0]
    Problem(space, [Objective("macs", "", False, macs)], [Constraint("macs", "", macs, small)]).refuse_infeasible()
    only = space.restrict(r=224)
    problem = Problem(only, [Objective("macs", "", False, macs)], [Constraint("macs", "", macs, small)])
    with pytest.raises(InfeasibleError):
        problem.refuse_infeasible()


def test_budgets_that_cannot_be_met_together_are_refused(space, macs, params):
    """Each is met by some subnet, both by none: what is small here is large there."""
    inverse = AdditiveCost.from_layers(space, lambda layer: 1e9 / (layer.macs + 1e6))
    problem = Problem(
        space,
        [Objective("params", "", True, params)],
        [
            Constraint("macs", "MACs", macs, 1.01 * macs.minimum()[0]),
            Constraint("inverse", "", inverse, 1.001 * inverse.minimum()[0]),
        ],
    )
    for searcher in ("exact", "nsga2", "random"):
        with pytest.raises(InfeasibleError, match=r"^macs <= .* MACs, inverse <= ") as refused:
            run_search(
                problem, searcher, population=20, generations=2, evaluations=None if searcher == "exact" else 140
            )
        assert searcher != "random" or "none of 140 subnets" in str(refused.value)


def everywhere(value, x):
    return np.full(len(x), value)


def test_the_nearest_subnet_does_not_read_as_one_that_keeps_its_budget(space):
    """Four digits are shown: a value just beyond its bound is rounded away from it."""
    for lower, upper, value, shown in ((75, np.inf, 74.9996, "74.99"), (-np.inf, 75, 75.0004, "75.01")):
        top1 = Objective("top1", "%", maximise=True, fn=partial(everywhere, value))
        problem = Problem(space, [top1], [Constraint("top1", "%", top1.fn, upper, lower=lower)])
        with pytest.raises(InfeasibleError, match=f"none of 30 subnets .* the nearest has top1 = {shown} %$"):
            run_search(problem, "random", evaluations=30)


def test_names_are_checked(space, macs, params):
    with pytest.raises(SpaceError, match="one to 4"):
        Problem(space, [])
    with pytest.raises(SpaceError, match="two different metrics"):
        Problem(space, [Objective("macs", "", False, macs)], [Constraint("macs", "", params, 1.0)])
    with pytest.raises(SpaceError, match="given twice"):
        Problem(space, [Objective("macs", "", False, macs), Objective("macs", "", True, macs)])
    problem = Problem(space, [Objective("macs", "", False, macs)])
    with pytest.raises(UnknownNameError, match="did you mean 'nsga2'"):
        run_search(problem, "nsga")
    with pytest.raises(SpaceError, match="population 0: at least 2 is needed; raise it"):
        run_search(problem, population=0)
    with pytest.raises(SpaceError, match="start row 1"):
        run_search(problem, start=np.stack([macs.minimum()[1], np.full(space.n_genes, 1)]))
    with pytest.raises(SpaceError, match="row 0 of the population, choice 99"):
        run_search(problem, start=np.full((1, space.n_genes), 99))
    with pytest.raises(SpaceError, match="top1 is no sum over layers"):
        run_search(Problem(space, [Objective("top1", "%", True, lambda x: np.zeros(len(x)))]), "exact")


def test_the_pool_knows_what_was_scored_and_keeps_the_whole_front(space, macs, params):
    problem = Problem(space, [Objective("params", "", True, params), Objective("macs", "", False, macs)])
    pool = Pool(problem)
    x = space.sample(500, np.random.default_rng(0))
    fresh = pool.fresh(np.concatenate([x, x]))
    assert (fresh == x[np.sort(np.unique(x, axis=0, return_index=True)[1])]).all()
    pool.add(fresh[:300], problem.evaluate(fresh[:300]))
    assert len(pool.fresh(x)) == len(fresh) - 300
    assert pool.knows(x).sum() == np.isin(pool.keys(x), pool.keys(fresh[:300])).sum() >= 300
    pool.add(fresh[300:], problem.evaluate(fresh[300:]))
    assert len(pool.seen) == len(fresh)
    np.testing.assert_array_equal(pool.seen.x, fresh)
    np.testing.assert_array_equal(pool.seen.at(pool.seen.find(pool.keys(fresh[::-1])))["macs"], macs(fresh[::-1]))
    result = SearchResult.of(pool, "test", 0, len(fresh), ())
    values = np.stack([params(fresh), macs(fresh)], axis=1)
    for value in values:
        better = (result.values["params"] >= value[0]) & (result.values["macs"] <= value[1])
        assert better.any()
    assert (np.diff(result.values["params"]) <= 0).all()


def test_hypervolume_never_falls(space, macs, params):
    problem = Problem(space, [Objective("params", "", True, params), Objective("macs", "", False, macs)])
    seen: list[SearchProgress] = []
    result = run_search(problem, evaluations=2250, population=50, generations=5, progress=seen.append)
    assert [p.evaluations for p in seen] == [evaluations for evaluations, _ in result.trace]
    assert (np.diff([volume for _, volume in result.trace]) >= 0).all()
    assert {p.budget for p in seen} == {2250}
    assert seen[-1].evaluations <= 2250
    assert (seen[-1].front, seen[-1].hypervolume) == (len(result), result.trace[-1][1])
