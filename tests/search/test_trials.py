"""Searchers with a number of evaluations to spend: what they ask for, and how it is measured."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.search import (
    SEARCHERS,
    Constraint,
    Lookup,
    Objective,
    Problem,
    SearchOptions,
    Yardstick,
    best_known,
    hypervolume,
    new_searcher,
    run_trial,
)
from hwnas.space import get_space, macs_cost, nasbench201
from tests.space.toy import enumerate_rows

SPACE = get_space("digits").restrict(r=[8, 16], ks=3)
MACS = macs_cost(SPACE)


def accuracy(x):
    return 60 + 8 * np.log(MACS(x) / 2e4) + np.cos(x[:, :7] * np.arange(7)).sum(axis=1)


def problem(*budgets, counted=None):
    def fn(x):
        if counted is not None:
            counted.append(len(x))
        return accuracy(x)

    return Problem(SPACE, [Objective("top1", "%", True, fn), Objective("macs", "MACs", False, MACS)], budgets, ["top1"])


NAMES = sorted(set(SEARCHERS) - {"exact"})


def trial_of(of, name, evaluations=60, seed=3):
    return run_trial(name, new_searcher(name, of, SearchOptions(evaluations, seed)))


@pytest.mark.parametrize("name", NAMES)
def test_searchers_spend_what_they_are_given_and_never_repeat(name):
    counted: list[int] = []
    trial = trial_of(problem(counted=counted), name)
    assert (trial.searcher, trial.seed, len(trial.x)) == (name, 3, 60)
    assert sum(counted) == 60
    assert len(np.unique(trial.x, axis=0)) == 60
    assert SPACE.contains(trial.x).all()
    np.testing.assert_array_equal(trial_of(problem(), name).x, trial.x)
    assert not np.array_equal(trial_of(problem(), name, seed=4).x, trial.x)


@pytest.mark.parametrize("name", NAMES)
def test_a_space_that_is_exhausted_ends_the_trial(name):
    space = nasbench201().restrict(ops=["none", "skip"])
    x = enumerate_rows(space)
    value = Lookup(space, x, x.sum(axis=1).astype(float), "value")
    first = Objective("first", "", False, lambda x: x[:, 0] * 1.0)
    trial = trial_of(Problem(space, [Objective("value", "", True, value), first], slow=["value"]), name, 100)
    assert len(np.unique(trial.x, axis=0)) == len(trial.x) <= len(x)
    assert name in ("nsga2", "unsga3", "evolution") or len(trial.x) == len(x) == 64


def test_linas_finds_more_than_random_search():
    of = problem()
    yardstick = Yardstick.of(of, best_known(of)[0])
    ends = {name: yardstick.curve(trial_of(of, name).x)[-1] for name in ("linas", "random")}
    assert yardstick.best >= ends["linas"] > ends["random"]


def test_the_best_known_front_is_exact_where_it_can_be_had():
    rows = enumerate_rows(SPACE)
    budget = Constraint("macs", "MACs", MACS, float(np.quantile(MACS(rows), 0.4)))
    of = problem(budget)
    front, which = best_known(of)
    assert which == "exact"
    yardstick = Yardstick.of(of, front)
    costs = of.costs(of.evaluate(rows[MACS(rows) <= budget.upper]))
    assert yardstick.best == pytest.approx(hypervolume(costs, yardstick.reference.tolist()))
    whole = get_space("ofa_resnet50")
    hard = Problem(whole, [Objective("top1", "%", True, lambda x: np.sin(x).sum(axis=1))])
    assert best_known(hard)[1] == "best known"


def test_a_curve_is_the_hypervolume_of_what_was_seen_so_far():
    budget = Constraint("macs", "MACs", MACS, 3e5)
    of = problem(budget)
    x = SPACE.sample(40, np.random.default_rng(0))
    yardstick = Yardstick.of(of, best_known(of)[0])
    curve = yardstick.curve(x)
    for n in (1, 7, 40):
        seen = x[:n][MACS(x[:n]) <= budget.upper]
        expected = hypervolume(of.costs(of.evaluate(seen)), yardstick.reference.tolist()) if len(seen) else 0.0
        assert curve[n - 1] == pytest.approx(expected)
    assert (np.diff(curve) >= 0).all()
