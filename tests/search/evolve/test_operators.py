"""Each operator does what its rate says, and nothing leaves the domain."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.search.evolve._operators import LONE_GENE_RATE, Moves, crossover, mutate, mutation_rates
from hwnas.space import get_space
from tests.space.toy import toy_space

N = 40_000


@pytest.fixture(params=["toy", "restricted"])
def space(request):
    if request.param == "toy":
        return toy_space()
    return get_space("ofa_mbv3_w1.0").restrict(r=[128, 176, 224], d=[2, 4], **{"ks[0]": [7], "e[5]": [3, 6]})


def close(share, expected):
    """Within five standard deviations of a binomial share."""
    return abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / N) + 1e-9


def test_mutation_changes_every_gene_with_effect_at_its_rate(space):
    rng = np.random.default_rng(0)
    x = np.repeat(space.sample(1, rng), N, axis=0)
    rates = mutation_rates(space)
    y = mutate(space, x, rates, rng)
    assert space.contains(y).all()
    assert (space.canonical(y) == y).all()
    for column, gene in enumerate(space.genes):
        if not space.active(x[:1])[0, column]:
            continue
        if gene.controller is None:
            changed = (y[:, column] != x[:, column]).mean()
        else:  # it is also reset where its controller changed
            same = y[:, gene.controller] == x[:, gene.controller]
            changed = (y[same, column] != x[same, column]).mean()
        assert close(changed, rates[column]), gene.name


def test_a_mutated_gene_is_equally_likely_to_become_any_other_choice(space):
    rng = np.random.default_rng(1)
    x = np.repeat(space.sample(1, rng), N, axis=0)
    y = mutate(space, x, np.where(mutation_rates(space) > 0, 1.0, 0.0), rng)
    resolution = space.n_genes - 1
    others = [c for c in space.domain[resolution].tolist() if c != x[0, resolution]]
    for choice in others:
        assert close((y[:, resolution] == choice).mean(), 1 / len(others))


def test_rates_ask_for_one_change_and_move_lone_genes_more_often(space):
    rates = mutation_rates(space)
    fixed = [len(d) == 1 for d in space.domain]
    assert (rates[fixed] == 0).all()
    assert rates[-1] >= LONE_GENE_RATE
    free = [c for c in range(space.n_genes - 1) if not fixed[c]]
    assert np.allclose(rates[free], 1 / (len(free) + 1))


def test_crossover_takes_each_gene_from_either_parent_and_wakes_none_from_nobody(space):
    rng = np.random.default_rng(2)
    a, b = (np.repeat(space.sample(1, rng, distinct_uniform=False), N, axis=0) for _ in range(2))
    child = crossover(space, a, b, rng)
    assert space.contains(child).all()
    assert (space.canonical(child) == child).all()
    active_a, active_b, active = (space.active(p) for p in (a, b, child))
    inherited = (child == a) & active_a | (child == b) & active_b
    assert (inherited | ~active).all()
    for column, gene in enumerate(space.genes):
        if gene.controller is None and a[0, column] != b[0, column]:
            assert close((child[:, column] == b[:, column]).mean(), 0.5), gene.name


def test_moves_are_all_one_gene_neighbours(space):
    rng = np.random.default_rng(3)
    x = space.sample(5, rng)
    moves = Moves.of(space)
    y, changed = moves.apply(x, rng)
    assert changed.sum(axis=1).tolist() == [
        sum(len(d) - 1 for d, on in zip(space.domain, active, strict=True) if on and len(d) > 1)
        for active in space.active(x)
    ]
    found = y[changed]
    assert space.contains(found).all()
    assert (space.canonical(found) == found).all()
    row, move = np.nonzero(changed)
    assert (found[np.arange(len(found)), moves.genes[move]] == moves.to[move]).all()
    free = np.array([g.controller is None for g in space.genes])
    assert ((found != x[row])[:, free].sum(axis=1) <= 1).all()


def test_joined_moves_make_both_changes(space):
    rng = np.random.default_rng(4)
    x = space.sample(40, rng)
    moves = Moves.of(space)
    y, changed = moves.apply(x, rng)
    for row in range(len(x)):
        first, second = rng.choice(np.flatnonzero(changed[row]), size=2, replace=False)
        if moves.genes[first] == moves.genes[second]:
            continue
        both = moves.join(x[[row]], y[[row], first], y[[row], second], np.array([second]))
        assert space.contains(both).all()
        active = space.active(both)[0]
        for move in (first, second):
            assert not active[moves.genes[move]] or both[0, moves.genes[move]] == moves.to[move]
