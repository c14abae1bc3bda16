"""What every searcher must do."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from hwnas.errors import InfeasibleError
from hwnas.search import SEARCHERS, Constraint, Objective, Problem, hypervolume, non_dominated, run_search
from hwnas.search.expensive import _linas
from hwnas.space import AdditiveCost, get_space, macs_cost, params_cost

SHORT: dict[str, Any] = {"population": 60, "generations": 4, "evaluations": 2240}
LONG: dict[str, Any] = {"population": 30, "generations": 40, "evaluations": 7200}
FEW: dict[str, Any] = {"population": 20, "evaluations": 40}
EVOLVED = ("nsga2", "unsga3")

RUN = """
from hwnas.search.expensive import _linas
from tests.contract.test_searchers import results
_linas.INNER_GENERATIONS = 4
print(*results(), sep="\\n")
"""


def settings_for(searcher):
    """Settings that are long enough to judge by, and quick."""
    if searcher in EVOLVED:
        return LONG
    return FEW if searcher in ("linas", "evolution") else {} if searcher == "exact" else SHORT


def additive_loss(space):
    """A made-up sum over layers, in which every choice matters."""
    return AdditiveCost.from_layers(
        space, lambda layer: 10 - float(np.log(layer.macs + 2)) + sum(map(ord, layer.key)) % 7
    )


def two_objectives():
    space = get_space("ofa_mbv3_w1.0").restrict(r=[128, 160, 224])
    macs, params = macs_cost(space), params_cost(space)
    objectives = [Objective("loss", "", False, additive_loss(space)), Objective("macs", "MACs", False, macs)]
    return Problem(space, objectives, [Constraint("macs", "MACs", macs, 4e8), Constraint("params", "", params, 6e6)])


def rugged():
    """The same with an objective that is not additive: pairs of neighbouring kernels interact."""
    two = two_objectives()
    loss = two.objectives[0].fn

    def paired(x):
        return loss(x) + 3.0 * np.cos(2.0 * x[:, :19] * x[:, 1:20] + np.arange(19)).sum(axis=1)

    objectives = [Objective("loss", "", False, paired), two.objectives[1]]
    return Problem(two.space, objectives, two.constraints)


class Led:
    """A rugged loss with a model of what changes of one gene do, right in the trend only."""

    def __init__(self, fn, trend):
        self.fn, self.effects = fn, trend.effects

    def __call__(self, x):
        return self.fn(x)


def led():
    blind, two = rugged(), two_objectives()
    loss = Led(blind.objectives[0].fn, two.objectives[0].fn)
    return Problem(two.space, [Objective("loss", "", False, loss), two.objectives[1]], two.constraints)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A shorter search on predictions in LINAS: the contract does not depend on its length."""
    monkeypatch.setattr(_linas, "INNER_GENERATIONS", 4)


@pytest.fixture(params=sorted(SEARCHERS))
def searcher(request):
    return request.param


@pytest.fixture(params=[1, 2, 3, "rugged", "led", "led by three"])
def problem(request, searcher):
    if isinstance(request.param, str):
        if searcher == "exact":
            pytest.skip("it is for sums")
        if request.param == "rugged":
            return rugged()
        two = led()
        third = [Objective("params", "", True, two.metrics["params"])] if request.param == "led by three" else []
        return Problem(two.space, [*two.objectives, *third], two.constraints)
    if request.param == 3 and searcher == "exact":
        pytest.skip("a front of three sums over a whole space needs an epsilon")
    two = two_objectives()
    params = two.metrics["params"]
    objectives = [*two.objectives, Objective("params", "", True, params)][: request.param]
    return Problem(two.space, objectives, two.constraints)


def test_the_front_is_feasible_canonical_in_the_domain_and_non_dominated(searcher, problem):
    result = run_search(problem, searcher, seed=1, **settings_for(searcher))
    space = problem.space
    assert len(result)
    assert result.x.dtype == np.int16
    assert (space.canonical(result.x) == result.x).all()
    assert space.contains(result.x).all()
    assert len(np.unique(result.x, axis=0)) == len(result.x)
    for name, fn in problem.metrics.items():
        np.testing.assert_array_equal(result.values[name], fn(result.x))
    for constraint in problem.constraints:
        assert (result.values[constraint.name] <= constraint.upper).all()
    values = np.stack([result.values[o.name] for o in problem.objectives], axis=1)
    assert non_dominated(values, [o.maximise for o in problem.objectives]).all()
    assert (result.searcher, result.seed) == (searcher, 1)
    assert result.evaluations == result.trace[-1][0]


def test_the_search_keeps_its_budget_of_evaluations(searcher):
    settings = settings_for(searcher)
    problem, counted = two_objectives(), []

    def evaluate(x):
        counted.append(len(x))
        return problem.evaluate(x)

    result = run_search(problem, searcher, seed=2, evaluate=evaluate, **settings)
    assert result.evaluations == sum(counted) <= settings.get("evaluations", len(result))


def results():
    """What each searcher finds, as one line."""
    lines = []
    for name in SEARCHERS:
        settings = {"population": 20, "generations": 3, "evaluations": 500} if name in EVOLVED else settings_for(name)
        result = run_search(two_objectives() if name == "exact" else led(), name, seed=5, **settings)
        values = b"".join(v.tobytes() for v in result.values.values())
        lines.append(f"{name} {hashlib.sha256(result.x.tobytes() + values).hexdigest()} {result.evaluations}")
    return lines


def test_equal_seeds_give_equal_results_in_any_process():
    # Sets and dictionaries of this process have an order of their own: its hash seed is drawn.
    env = os.environ | {"PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", RUN]
    there = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(there) == len(SEARCHERS)
    assert results() == there


def test_start_rows_are_scored(searcher, problem):
    if searcher == "exact":
        pytest.skip("it needs none")
    best = two_objectives().objectives[0].fn.within(problem.space).minimum()[1]
    loose = Problem(problem.space, problem.objectives)
    result = run_search(loose, searcher, start=best[None], **settings_for(searcher))
    first = problem.objectives[0]
    assert result.values[first.name][0] <= first.fn(best[None])[0]


def test_an_infeasible_budget_is_refused(searcher):
    two = two_objectives()
    macs = two.metrics["macs"]
    problem = Problem(two.space, two.objectives, [Constraint("macs", "MACs", macs, 1e7)])
    with pytest.raises(InfeasibleError, match="the smallest needs"):
        run_search(problem, searcher, **settings_for(searcher))


@pytest.mark.parametrize("problem", [rugged(), led()], ids=["rugged", "led"])
def test_nsga2_beats_random_search_at_equal_evaluations(problem):
    found = run_search(problem, "nsga2", seed=4, **LONG)
    drawn = run_search(problem, "random", seed=4, evaluations=found.evaluations)
    corner = np.maximum(*(np.max([r.values["loss"], r.values["macs"]], axis=1) for r in (found, drawn)))
    ours, theirs = (
        hypervolume(np.stack([r.values["loss"], r.values["macs"]], axis=1), corner.tolist()) for r in (found, drawn)
    )
    assert ours > 1.05 * theirs


def test_the_best_under_a_budget_is_that_of_the_front_towards_it():
    two = rugged()
    front = run_search(two, "nsga2", seed=4, **SHORT)
    alone = run_search(Problem(two.space, two.objectives[:1], two.constraints), "nsga2", seed=4, **SHORT)
    assert alone.values["loss"].tolist() == [front.values["loss"].min()]
    assert list(alone.values) == ["loss", "macs", "params"]
    ((evaluations, gained),) = alone.trace
    assert evaluations == front.evaluations
    assert gained == pytest.approx(alone.reference[0] - alone.values["loss"][0])


def test_additive_problems_are_solved_to_the_certified_share():
    result = run_search(two_objectives(), "nsga2", seed=3, **SHORT)
    assert result.certificate["exact_share"] >= 0.999
