"""The share that `shrunk` claims, against the fronts of whole and shrunk spaces, enumerated."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hwnas.search import exact_front, hypervolume, non_dominated, shrunk
from hwnas.space import AdditiveCost, Factor, SearchSpace
from tests.space.toy import enumerate_rows, nested_space, small_spaces, toy_space


def costs_of(space: SearchSpace, seed: int) -> list[AdditiveCost]:
    """Two sums over slots that conflict: a choice that is good for one is mostly bad for the other."""
    rng = np.random.default_rng(seed)
    pulls = [rng.normal(size=[len(space.genes[c].choices) for c in slot.genes]) for slot in space.slots]
    sums = ([t + 0.5 * rng.normal(size=t.shape) for t in pulls], [-t + 0.5 * rng.normal(size=t.shape) for t in pulls])
    whole = space.whole
    return [
        AdditiveCost(whole, [Factor(slot.genes, t) for slot, t in zip(space.slots, tables, strict=True)])
        for tables in sums
    ]


def volume(costs: list[AdditiveCost], space: SearchSpace, corner: NDArray[np.float64]) -> float:
    """Of the front of all rows of a domain."""
    x = enumerate_rows(space)
    return hypervolume(np.stack([cost(x) for cost in costs], axis=1), corner.tolist())


@pytest.mark.parametrize("share", [0.995, 0.9])
@pytest.mark.parametrize("space", small_spaces()[:6], ids=lambda s: f"{s.name}-{s.size()}")
def test_the_exact_front_of_the_part_keeps_the_share(space: SearchSpace, share: float) -> None:
    costs = costs_of(space, seed=int(1000 * share))
    every = enumerate_rows(space)
    values = np.stack([cost(every) for cost in costs], axis=1)
    x = every[non_dominated(values, distinct=True)]
    front = np.stack([cost(x) for cost in costs], axis=1)
    part, kept = shrunk(space, x, front, [False, False], share)
    assert kept >= share
    assert part.fingerprint == space.fingerprint
    for left, allowed in zip(part.domain, space.domain, strict=True):
        assert 0 < len(left) <= len(allowed)
        assert set(left) <= set(allowed)
    corner = front.max(axis=0) + 0.1 * np.ptp(front, axis=0)
    assert volume(costs, part, corner) >= kept * volume(costs, space, corner) * (1 - 1e-9)
    found = exact_front(part, costs)
    for j, cost in enumerate(costs):  # no end of the front is lost
        assert cost(found).min() == pytest.approx(front[:, j].min())


def test_a_choice_on_no_front_goes_and_one_that_matters_stays() -> None:
    space = toy_space()
    x = enumerate_rows(space.restrict(r=12, ks=[3, 5], **{"d[0]": [1, 3]}))[:40]
    values = np.stack([np.arange(40.0), np.arange(40.0)], axis=1)  # every row is needed: the second is maximised
    part, kept = shrunk(space, x, values, [False, True], share=1.0)
    assert kept == pytest.approx(1.0)
    assert part.contains(x).all()
    assert part.input_values == {"r": [12]}
    assert part.size() < space.size()


def test_genes_that_no_row_of_the_front_needs_are_left_one_choice() -> None:
    space = nested_space()
    shallow = enumerate_rows(space.restrict(d=1))[:1]
    part, kept = shrunk(space, shallow, np.array([[1.0, 2.0]]), [True, False])
    assert kept == 1.0
    assert part.size() == 1
    assert (enumerate_rows(part) == shallow).all()


def test_less_is_left_where_less_need_be_kept() -> None:
    space = toy_space()
    costs = costs_of(space, seed=7)
    x = exact_front(space, costs)
    values = np.stack([cost(x) for cost in costs], axis=1)
    sizes = [shrunk(space, x, values, [False, False], share)[0].size() for share in (1.0, 0.99, 0.8)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0]


@pytest.mark.parametrize(("seed", "share"), [(0, 0.95), (6, 0.8), (11, 0.8)])
def test_at_every_step_the_choice_of_least_loss_goes(seed: int, share: float) -> None:
    space = toy_space()
    costs, every = costs_of(space, seed), enumerate_rows(space)
    values = np.stack([cost(every) for cost in costs], axis=1)
    on_front = non_dominated(values, distinct=True)
    x, front = every[on_front], values[on_front]
    corner = (front.max(axis=0) + 0.1 * np.ptp(front, axis=0)).tolist()
    active, ends = space.active(x), front.argmin(axis=0)
    rows_of = [active[:, c] & (x[:, c] == i) for c, gene in enumerate(space.genes) for i in range(len(gene.choices))]
    queue = [rows for rows in rows_of if not rows[ends].any()]
    alive, whole = np.ones(len(x), dtype=bool), hypervolume(front, corner)
    while queue:
        best = max(range(len(queue)), key=lambda i: hypervolume(front[alive & ~queue[i]], corner))
        left = alive & ~queue.pop(best)
        if hypervolume(front[left], corner) < share * whole:
            break
        alive = left
    _, kept = shrunk(space, x, front, [False, False], share)
    assert kept == pytest.approx(hypervolume(front[alive], corner) / whole)
