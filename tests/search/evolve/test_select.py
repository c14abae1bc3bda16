"""Who mates with whom, and who survives."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.search import Constraint, Objective, Problem
from hwnas.search.evolve._pymoo import Evolution
from hwnas.search.evolve._select import mates, tournament
from hwnas.search.problem._directions import reference_directions
from hwnas.space import get_space, macs_cost, params_cost
from tests.space.toy import enumerate_rows

SPACE = get_space("ofa_mbv3_w1.0").restrict(r=224)
MACS, PARAMS = macs_cost(SPACE), params_cost(SPACE)


def test_the_less_violated_wins_then_the_better_front_then_the_lonelier():
    rng = np.random.default_rng(0)
    violation = np.array([0.0, 0.0, 0.0, 0.5, 0.9])
    rank = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    merit = np.array([2.0, 1.0, np.inf, 9.0, 9.0])
    winners = tournament(violation, rank, np.zeros(5), merit, 20_000, rng)
    share = np.bincount(winners, minlength=5) / 20_000
    np.testing.assert_allclose(share, np.array([9, 7, 5, 3, 1]) / 25, atol=0.02)


def test_feasible_rows_of_two_niches_are_not_compared():
    rng = np.random.default_rng(1)
    winners = tournament(np.zeros(2), np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.zeros(2), 20_000, rng)
    assert abs((winners == 0).mean() - 0.5) < 0.02
    violated = tournament(np.array([0.0, 1.0]), np.zeros(2), np.array([0.0, 1.0]), np.zeros(2), 20_000, rng)
    assert abs((violated == 0).mean() - 0.75) < 0.02


def test_mates_are_near_along_the_front():
    rng = np.random.default_rng(4)
    costs = rng.random((500, 2))
    parents = rng.integers(500, size=4000)
    other = mates(costs, parents, rng)
    apart = np.abs(costs[parents, 1] - costs[other, 1])
    assert apart.mean() < 0.1


@pytest.mark.parametrize(
    ("objectives", "most", "expected"), [(1, 9, 1), (2, 11, 11), (3, 92, 91), (3, 2, 3), (4, 40, 35)]
)
def test_directions_are_an_even_lattice_on_the_simplex(objectives, most, expected):
    found = reference_directions(objectives, most)
    assert found.shape == (expected, objectives)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert (found >= 0).all()
    assert len(np.unique(np.round(found, 9), axis=0)) == expected
    assert {tuple(row) for row in np.eye(objectives)} <= {tuple(row) for row in found.tolist()}


def evolution(kind, objectives, population=40):
    chosen = [
        Objective("params", "", True, PARAMS),
        Objective("macs", "", False, MACS),
        Objective("r", "", False, lambda x: x.sum(axis=1) * 1.0),
    ]
    budget = Constraint("macs", "", MACS, float(np.median(MACS(SPACE.sample(500, np.random.default_rng(0))))))
    problem = Problem(SPACE, chosen[:objectives], [budget] if objectives > 1 else [])
    rng = np.random.default_rng(0)
    first = SPACE.sample(2 * population, rng)
    return problem, Evolution(kind, problem, population, rng, first, lambda x: np.zeros(len(x), dtype=bool))


@pytest.mark.parametrize(
    ("kind", "objectives"), [("nsga2", 1), ("nsga2", 2), ("nsga2", 3), ("unsga3", 2), ("unsga3", 3)]
)
def test_the_better_survive_by_constraint_domination(kind, objectives):
    problem, algorithm = evolution(kind, objectives)
    before = np.zeros((0, SPACE.n_genes), dtype=np.int16)
    for _ in range(5):
        x = algorithm.ask()
        assert len(np.unique(x, axis=0)) == len(x) > 0
        np.testing.assert_array_equal(SPACE.canonical(x), x)
        algorithm.tell(problem.evaluate(x))
        pool, before = np.concatenate([before, x]), algorithm.x
        if len(before) < 80:
            assert len(before) == 40
        alive = set(map(tuple, before.tolist()))
        assert alive <= set(map(tuple, pool.tolist()))
        # Nobody who was dropped dominates a survivor.
        values = problem.evaluate(pool)
        costs, violation = problem.costs(values), problem.violation(values)
        lives = np.array([tuple(row) in alive for row in pool.tolist()])
        for a in np.flatnonzero(~lives):
            for b in np.flatnonzero(lives):
                if violation[a] <= 0 and violation[b] <= 0:
                    assert not ((costs[a] <= costs[b]).all() and (costs[a] < costs[b]).any())
                else:
                    assert violation[a] >= violation[b]
        pool = before
    assert (problem.violation(problem.evaluate(algorithm.x)) <= 0).all()


def test_no_known_row_is_proposed_and_an_exhausted_space_gives_none():
    space = get_space("digits").restrict(r=16, ks=3, d=1)
    macs = macs_cost(space)
    problem = Problem(space, [Objective("macs", "", False, macs)])
    seen = []

    def known(x):
        return np.array([row.tobytes() in seen for row in x], dtype=bool)

    rows = enumerate_rows(space)
    algorithm = Evolution("nsga2", problem, 8, np.random.default_rng(0), rows[:8], known)
    while len(x := algorithm.ask()):
        assert not known(x).any()
        seen += [row.tobytes() for row in x]
        algorithm.tell(problem.evaluate(x))
    assert 8 < len(seen) <= len(rows)
