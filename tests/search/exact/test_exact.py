"""The exact front against brute force over small spaces, and against an integer programme."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwnas.errors import InfeasibleError
from hwnas.search import exact_front, non_dominated
from hwnas.space import (
    AdditiveCost,
    Factor,
    Gene,
    Population,
    SearchSpace,
    conditional,
    domain_factors,
    get_space,
    macs_cost,
    params_cost,
)
from tests.search.exact.integer_programme import milp_minimum


def small_space(rng: np.random.Generator, genes: int) -> SearchSpace:
    """Genes of two or three choices; some conditional on an earlier one, which may be so itself; some restricted."""
    made: list[Gene] = []
    for i in range(genes):
        gene = Gene("g", i, tuple(range(int(rng.integers(2, 4)))))
        if made and rng.random() < 0.4:
            controller = int(rng.integers(len(made)))
            active = np.flatnonzero(rng.random(len(made[controller].choices)) < 0.6)
            gene = conditional(gene, controller, active.tolist())
        made.append(gene)
    domain = [range(int(rng.integers(0, 2)), len(g.choices)) for g in made]
    return SearchSpace("small", made, [], domain)


def all_rows(space: SearchSpace) -> Population:
    x = np.array(list(itertools.product(*space.domain)), dtype=np.int16)
    return np.unique(space.canonical(x), axis=0)


def random_cost(space: SearchSpace, rng: np.random.Generator, *, whole: bool) -> AdditiveCost:
    """Factors over one to three random genes each; whole numbers make ties."""
    factors = []
    for _ in range(space.n_genes):
        scope = tuple(int(g) for g in rng.permutation(space.n_genes)[: rng.integers(1, 4)])
        table = rng.normal(size=[len(space.genes[g].choices) for g in scope])
        factors.append(Factor(scope, np.round(3 * table) if whole else table))
    return AdditiveCost(space, factors)


def points(x: Population, costs: list[AdditiveCost]) -> NDArray[np.float64]:
    values = np.stack([cost(x) for cost in costs], axis=1).round(9)
    return values[np.lexsort(values.T)]


@given(seed=st.integers(0, 10**6), genes=st.integers(1, 6), n_costs=st.integers(1, 3), n_limits=st.integers(0, 2))
@example(
    seed=1617, genes=4, n_costs=1, n_limits=1
)  # the limit is the only subnet's own value, by another order of sums
@settings(max_examples=60, deadline=None)
def test_equals_brute_force(seed: int, genes: int, n_costs: int, n_limits: int) -> None:
    rng = np.random.default_rng(seed)
    space = small_space(rng, genes)
    costs = [random_cost(space, rng, whole=seed % 2 == 0) for _ in range(n_costs)]
    limits = []
    rows = all_rows(space)
    inside = np.ones(len(rows), dtype=bool)
    for _ in range(n_limits):
        metric = random_cost(space, rng, whole=seed % 2 == 0)
        upper = float(np.quantile(metric(rows), rng.uniform(0.2, 1.0)))
        limits.append((metric, upper))
        inside &= metric(rows) <= upper
    if not inside.any():
        with pytest.raises(InfeasibleError):
            exact_front(space, costs, limits)
        return
    rows = rows[inside]
    expected = rows[non_dominated(np.stack([c(rows) for c in costs], axis=1), distinct=True)]
    found = exact_front(space, costs, limits)
    assert (found == space.canonical(found)).all()
    assert space.contains(found).all()
    np.testing.assert_allclose(points(found, costs), points(expected, costs), atol=1e-9)


@given(seed=st.integers(0, 10**6), epsilon=st.floats(0.01, 2.0))
@settings(max_examples=25, deadline=None)
def test_epsilon_is_a_guarantee(seed: int, epsilon: float) -> None:
    rng = np.random.default_rng(seed)
    space = small_space(rng, 6)
    costs = [random_cost(space, rng, whole=False) for _ in range(2)]
    exact = points(exact_front(space, costs), costs)
    near = points(exact_front(space, costs, epsilon=epsilon), costs)
    assert len(near) <= len(exact)
    covered = (near[None, :, 0] <= exact[:, None, 0] + epsilon) & (near[None, :, 1] <= exact[:, None, 1])
    assert covered.any(axis=1).all()


def test_domain_factors_are_zero_on_canonical_rows_only() -> None:
    rng = np.random.default_rng(3)
    space = small_space(rng, 6)
    factors = domain_factors(space)
    x = np.array(list(itertools.product(*(range(len(g.choices)) for g in space.genes))), dtype=np.int16)
    total = sum(f.table[tuple(x[:, g] for g in f.genes)] for f in factors)
    assert {tuple(row) for row in x[total == 0].tolist()} == {tuple(row) for row in all_rows(space).tolist()}


@pytest.mark.parametrize(("name", "millions"), [("ofa_mbv3_w1.0", [250.0]), ("ofa_resnet50", [1500.0, 15.0])])
def test_equals_an_integer_programme_on_single_budgets(name: str, millions: list[float]) -> None:
    space = get_space(name).restrict(r=[160, 224])
    rng = np.random.default_rng(0)
    loss = AdditiveCost.from_layers(space, lambda layer: -float(np.log(layer.macs + 1)) * rng.uniform(0.8, 1.2))
    metrics = [scaled(space, macs_cost(space)), scaled(space, params_cost(space))]
    limits = list(zip(metrics, millions, strict=False))
    best = exact_front(space, [loss], limits)
    assert all(metric(best)[0] <= upper for metric, upper in limits)
    assert loss(best)[0] == pytest.approx(milp_minimum(space, loss, limits), rel=1e-6)


def scaled(space: SearchSpace, cost: AdditiveCost) -> AdditiveCost:
    return AdditiveCost(space, [Factor(f.genes, f.table / 1e6) for f in cost.factors])


def test_no_random_subnet_of_a_published_space_beats_its_front() -> None:
    space = get_space("ofa_proxyless_w1.3").restrict(r=[128, 192])
    rng = np.random.default_rng(1)
    loss = AdditiveCost.from_layers(space, lambda layer: -float(np.log(layer.macs + 1)) * rng.uniform(0.8, 1.2))
    costs = [loss, macs_cost(space)]
    front = exact_front(space, costs)
    values = np.stack([cost(front) for cost in costs], axis=1)
    assert non_dominated(values).all()
    x = space.sample(3000, rng, distinct_uniform=False)
    others = np.stack([cost(x) for cost in costs], axis=1)
    behind = (values[None, :, 0] <= others[:, None, 0] + 1e-9) & (values[None, :, 1] <= others[:, None, 1])
    assert behind.any(axis=1).all()
