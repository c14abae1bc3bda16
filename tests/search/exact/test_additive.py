"""The exact searcher with a budget on a maximum, and with metrics that are no sums: against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.errors import InfeasibleError, SpaceError
from hwnas.search import Constraint, Objective, Problem, non_dominated, run_search
from hwnas.search.exact import _sets
from hwnas.space import AdditiveCost, PeakMemory, get_space, macs_cost, params_cost
from tests.space.toy import enumerate_rows

SPACE = get_space("digits").restrict(r=[8, 16], ks=3)
MACS, PARAMS, PEAK = macs_cost(SPACE), params_cost(SPACE), PeakMemory(SPACE)
ROWS = enumerate_rows(SPACE)


def loss(space=SPACE):
    rng = np.random.default_rng(0)
    return AdditiveCost.from_layers(space, lambda layer: -float(np.log(layer.macs + 1)) * rng.uniform(0.5, 1.5))


def problem(fn, *constraints):
    objectives = [Objective("loss", "", False, fn), Objective("macs", "MACs", False, MACS)]
    return Problem(SPACE, objectives, constraints)


def memory(share):
    return Constraint("memory_bytes", "B", PEAK, float(np.quantile(PEAK(ROWS), share)))


def front_by_force(of):
    values = of.evaluate(ROWS)
    costs = of.costs(values)[of.violation(values) <= 0]
    return np.unique(costs[non_dominated(costs)], axis=0).round(6)


@pytest.mark.parametrize("budgets", [1, 2, 3])
def test_a_budget_on_peak_memory_is_kept_at_the_optimum(budgets):
    # The budget on MACs is on an objective, that on parameters on a further sum.
    limits = [memory(0.3), Constraint("macs", "MACs", MACS, float(np.quantile(MACS(ROWS), 0.6)))]
    limits.append(Constraint("params", "params", PARAMS, float(np.quantile(PARAMS(ROWS), 0.5))))
    of = problem(loss(), *limits[:budgets])
    found = run_search(of, "exact")
    np.testing.assert_allclose(np.unique(of.costs(found.values), axis=0), front_by_force(of), atol=1e-6)
    assert (found.values["memory_bytes"] <= limits[0].upper).all()
    # NSGA-II starts from it and is measured against it.
    assert run_search(of, "nsga2", evaluations=280, population=20, generations=4).certificate["exact_share"] >= 0.999


def test_a_search_is_not_lost_where_the_exact_front_is_too_large(monkeypatch):
    monkeypatch.setattr(_sets, "MAX_POINTS", 1)
    found = run_search(problem(loss()), "nsga2", evaluations=60, population=20, generations=2)
    assert len(found)
    assert found.certificate == {}


def test_a_front_of_one_subnet_is_found_whole():
    # Both grow together, in the hundreds of millions: the margin around the front must not round to nothing.
    large = AdditiveCost.from_layers(SPACE, lambda layer: 1e5 * layer.macs)
    of = problem(large)
    found = run_search(of, "nsga2", evaluations=280, population=20, generations=4)
    assert len(np.unique(of.costs(found.values), axis=0)) == 1
    assert found.certificate["exact_share"] == pytest.approx(1.0)


def test_small_spaces_are_scored_whole_whatever_the_metrics():
    fn = loss()
    of = problem(lambda x: np.cos(fn(x)), memory(0.5))
    found = run_search(of, "exact")
    assert found.evaluations == len(ROWS) == SPACE.size()
    np.testing.assert_allclose(np.unique(of.costs(found.values), axis=0), front_by_force(of), atol=1e-6)


def test_what_cannot_be_computed_is_refused_in_one_line():
    space = get_space("digits")
    peak = PeakMemory(space)
    objectives = [Objective("macs", "MACs", False, macs_cost(space)), Objective("memory_bytes", "B", False, peak)]
    with pytest.raises(SpaceError, match="memory_bytes is no sum over layers; make memory_bytes a budget"):
        run_search(Problem(space, objectives), "exact")
    accuracy = Objective("top1", "%", True, lambda x: np.zeros(len(x)))
    budget = Constraint("memory_bytes", "B", peak, peak.minimum()[0])
    with pytest.raises(SpaceError, match=": top1 is no sum over layers; use nsga2, or an additive predictor"):
        run_search(Problem(space, [accuracy], [budget]), "exact")


def test_budgets_that_exclude_one_another_are_named():
    inverse = AdditiveCost.from_layers(SPACE, lambda layer: 1e9 / (layer.macs + 1e6))
    of = problem(loss(), memory(0.01), Constraint("inverse", "", inverse, 1.001 * inverse.minimum()[0]))
    with pytest.raises(InfeasibleError, match=r"memory_bytes <= .*B, inverse <= .*: no subnet of digits"):
        run_search(of, "exact")
    with pytest.raises(InfeasibleError, match="the smallest needs"):
        run_search(problem(loss(), replace(memory(0.5), upper=1.0)), "exact")
