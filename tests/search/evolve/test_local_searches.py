"""The local searches: which changes they try, and that together they find whole fronts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hwnas.search import Constraint, Objective, Problem, SearchOptions, Stepwise, drive, hypervolume
from hwnas.search.evolve import _chains
from hwnas.search.evolve._chains import CHAINS, search_along
from hwnas.search.evolve._combine import DEPTH, HOPE, promising
from hwnas.search.evolve._local import local_search
from hwnas.search.evolve._operators import Moves
from hwnas.search.evolve._weights import front_weights, lower_hull
from hwnas.search.problem._pool import Pool
from hwnas.space import AdditiveCost, get_space, macs_cost
from tests.space.toy import enumerate_rows

SPACE = get_space("digits").restrict(r=[8, 16], ks=3)
ROWS = enumerate_rows(SPACE)
MACS = macs_cost(SPACE)
WORTH = AdditiveCost.from_layers(SPACE, lambda layer: float(np.log(layer.macs + 2)) + sum(map(ord, layer.key)) % 7)


class Rugged:
    """A sum with ripples on it; its first-order model knows the sum alone."""

    effects = WORTH.effects

    def __call__(self, x):
        return WORTH(x) + 2 * np.cos(3 * x[:, :-1] * x[:, 1:] + np.arange(x.shape[1] - 1)).sum(axis=1)


def problem_of(fn, share=0.7):
    budget = Constraint("macs", "", MACS, float(np.quantile(MACS(ROWS), share)))
    return Problem(SPACE, [Objective("worth", "", True, fn), Objective("macs", "", False, MACS)], [budget])


def pool_of(problem, n=400, seed=0):
    pool = Pool(problem)
    x = pool.fresh(SPACE.sample(n, np.random.default_rng(seed)))
    pool.add(x, problem.evaluate(x))
    return pool


def found_share(problem, result):
    """Of the whole front's hypervolume."""
    kept = ROWS[problem.violation(problem.evaluate(ROWS)) <= 0]
    best = problem.costs(problem.evaluate(kept))
    corner = best.max(axis=0).tolist()
    return hypervolume(problem.costs(result.values), corner) / hypervolume(best, corner)


def test_local_search_finds_the_front_of_a_rugged_problem_from_a_few_rows():
    problem = problem_of(Rugged())

    def steps(pool, options):
        rng = np.random.default_rng(options.seed)
        yield SPACE.sample(30, rng)
        before = pool.hypervolume()
        yield from local_search(pool, [], options.evaluations, rng)
        assert pool.hypervolume() > before

    result = drive(Stepwise("local", problem, SearchOptions(6000), steps), problem.evaluate)
    assert found_share(problem, result) > 0.995
    assert result.evaluations < 0.5 * len(ROWS)


def test_local_search_ends_without_a_front_and_at_its_budget():
    nothing = problem_of(WORTH)
    empty = Pool(nothing)
    assert not list(local_search(empty, [], 1000, np.random.default_rng(0)))
    pool = pool_of(nothing)
    search = local_search(pool, [], 0, np.random.default_rng(0))
    assert not list(search)


def test_chains_led_by_a_trend_find_the_front_of_a_rugged_problem():
    problem = problem_of(Rugged())

    def steps(pool, options):
        rng = np.random.default_rng(options.seed)
        x = SPACE.sample(CHAINS, rng)
        yield x
        start = problem.costs(problem.evaluate(x))
        ends, values = yield from search_along(pool, x, 60_000, rng)
        assert (SPACE.canonical(ends) == ends).all()
        np.testing.assert_array_equal(values["worth"], problem.evaluate(ends)["worth"])
        assert problem.costs(values)[:, 0].mean() < start[:, 0].mean()

    result = drive(Stepwise("chains", problem, SearchOptions(30_000), steps), problem.evaluate)
    assert found_share(problem, result) > 0.99


def test_a_chain_tries_the_changes_that_the_model_ranks_first():
    """With exact effects and one objective, the first trial of a step is the best of all one-gene neighbours."""
    problem = Problem(SPACE, [Objective("worth", "", True, WORTH)])
    rng = np.random.default_rng(1)
    x = SPACE.completed(SPACE.sample(20, rng), rng)
    canonical = SPACE.canonical(x)
    chains = _chains._Chains(Pool(problem), canonical, problem.evaluate(canonical))
    genes, choices, gains = _chains._best_changes(chains, x, np.ones((20, 1)), 3)
    for row, g, c, gain in zip(x, genes, choices, gains, strict=True):
        assert len(set(g.tolist())) == 3
        neighbours = []
        for column, domain in enumerate(SPACE.domain):
            for choice in domain:
                if choice != row[column] and SPACE.active(row[None])[0, column]:
                    y = row.copy()
                    y[column] = choice
                    neighbours.append(float(WORTH(SPACE.canonical(y[None]))[0]))
        changed = row.copy()
        changed[g[0]] = c[0]
        value = float(WORTH(SPACE.canonical(changed[None]))[0])
        assert value == pytest.approx(max(neighbours))
        assert gain[0] == pytest.approx(float(WORTH(SPACE.canonical(row[None]))[0]) - value)
        assert (np.diff(gain) >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_hull_is_the_lower_left_one(seed):
    points = np.random.default_rng(seed).random((40, 2))
    hull = lower_hull(points)
    # No point lies below any edge, and slopes rise.
    slopes = np.diff(hull[:, 1]) / np.diff(hull[:, 0])
    assert (np.diff(slopes) > 0).all()
    below = np.interp(points[:, 0], hull[:, 0], hull[:, 1])
    assert (points[:, 1] >= below - 1e-12).all()


def test_weights_cover_the_front_from_end_to_end():
    pool = pool_of(problem_of(WORTH), 5000)
    weights = front_weights(pool, 16)
    assert (weights > 0).all()
    best = (pool.costs[None] * weights[:, None]).sum(axis=2).argmin(axis=1)
    along = pool.costs[best, 1]
    assert (np.diff(along) >= 0).all()
    corners = len(lower_hull(pool.costs[:, ::-1]))
    assert len(set(best.tolist())) >= corners / 2


def test_combinations_are_those_that_brute_force_predicts_nearest_to_the_front():
    problem = problem_of(WORTH)
    pool, moves = pool_of(problem), Moves.of(SPACE)
    x = SPACE.sample(4, np.random.default_rng(3))
    x = x[problem.violation(problem.evaluate(x)) <= 0]
    neighbours, changed = moves.apply(x, np.random.default_rng(4))
    values = problem.evaluate(x)
    flat = problem.evaluate(neighbours.reshape(-1, SPACE.n_genes))
    delta = {n: np.where(changed, v.reshape(changed.shape) - values[n][:, None], np.nan) for n, v in flat.items()}
    found = promising(pool, moves, values, delta)
    assert [c.moves.shape[1] for c in found] == list(range(2, DEPTH + 1))
    hope = HOPE * float(np.ptp(pool.costs[:, 0]))

    def gap(row, chosen):
        told = {n: np.array([values[n][row] + d[row, list(chosen)].sum()]) for n, d in delta.items()}
        return float(pool.behind(problem.costs(told))[0]) if problem.violation(told)[0] <= 0 else np.inf

    for combinations in found:
        for row, chosen in zip(combinations.rows, combinations.moves, strict=True):
            assert len(set(moves.genes[chosen].tolist())) == len(chosen)
            assert gap(row, chosen) <= hope + 1e-9
    pairs = found[0]
    for row in range(len(x)):
        possible = [
            p for p in itertools.combinations(np.flatnonzero(changed[row]), 2) if len(set(moves.genes[list(p)])) == 2
        ]
        best = min(gap(row, p) for p in possible)
        mine = [gap(row, p) for r, p in zip(pairs.rows, pairs.moves, strict=True) if r == row]
        if best <= hope and not np.isinf(best):
            assert mine
            assert min(mine) == pytest.approx(best)
