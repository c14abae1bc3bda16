"""Who survives: by constraint domination, front and diversity."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.search.evolve._pymoo import fronts, reference_directions
from hwnas.search.evolve._survival import Survival, mates, tournament


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_better_fronts_survive_first(objectives):
    rng = np.random.default_rng(0)
    costs = rng.random((300, objectives))
    ranked = Survival(objectives, 100)(costs, np.zeros(300), rng)
    assert len(set(ranked.order.tolist())) == 100
    rank_of = np.empty(300, dtype=int)
    for rank, front in enumerate(fronts(costs, 300)):
        rank_of[front] = rank
    assert (ranked.rank == rank_of[ranked.order]).all()
    assert (np.diff(ranked.rank) >= 0).all()
    lost = np.setdiff1d(np.arange(300), ranked.order)
    assert rank_of[lost].min() >= ranked.rank.max()


def test_feasible_rows_come_before_infeasible_ones_which_go_by_violation():
    rng = np.random.default_rng(1)
    costs, violation = rng.random((50, 2)), np.where(np.arange(50) < 10, 0.0, rng.random(50))
    ranked = Survival(2, 30)(costs, violation, rng)
    assert set(ranked.order[:10].tolist()) == set(range(10))
    assert ranked.feasible == 10
    assert (np.diff(violation[ranked.order[10:]]) >= 0).all()
    winners = tournament(ranked, 2000, rng)
    assert (winners < 10).mean() > 0.5


def test_the_extremes_of_a_front_survive():
    rng = np.random.default_rng(2)
    first = np.sort(rng.random(200))
    costs = np.stack([first, 1 - first], axis=1)
    ranked = Survival(2, 20)(costs, np.zeros(200), rng)
    assert {0, 199} <= set(ranked.order.tolist())


def test_niches_are_filled_evenly():
    """On a front with as many crowded corners as directions, NSGA-III keeps some of every niche."""
    rng = np.random.default_rng(3)
    costs = rng.dirichlet([0.4] * 3, size=3000)
    survival = Survival(3, 60)
    ranked = survival(costs, np.zeros(3000), rng)
    directions = len(reference_directions(3, 60))
    assert len(np.unique(ranked.niche)) > 0.9 * directions
    assert np.bincount(ranked.niche).max() <= 4


def test_mates_are_near_along_the_front():
    rng = np.random.default_rng(4)
    costs = rng.random((500, 2))
    parents = rng.integers(500, size=4000)
    other = mates(costs, parents, rng)
    apart = np.abs(costs[parents, 1] - costs[other, 1])
    assert apart.mean() < 0.1
