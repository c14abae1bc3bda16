"""AdditiveCost against sums over networks, and its optima against brute force."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.errors import SpaceError
from hwnas.space import AdditiveCost, Factor, LayerSpec, SearchSpace, get_space, macs_cost, params_cost, space_names
from tests.space.toy import enumerate_rows, nested_space, small_spaces, toy_space

few = settings(max_examples=20, deadline=None)


def arbitrary(layer: LayerSpec, salt: int) -> float:
    """A cost without structure that a layer's key decides, negative for some."""
    return float(np.random.default_rng([salt, *layer.key.encode()]).normal())


def at_two_inputs(name: str) -> SearchSpace:
    space = nested_space() if name == "nested" else toy_space() if name == "toy" else get_space(name)
    return space.restrict(**{gene: values[-2:] for gene, values in space.input_values.items()})


@pytest.mark.parametrize("name", [*space_names(), "nested"])
def test_a_cost_is_the_sum_over_the_layers_of_the_network(name):
    space = at_two_inputs(name)
    rows = np.concatenate([space.sample(30, np.random.default_rng(0), distinct_uniform=u) for u in (True, False)])
    for cost, of_layer in (
        (macs_cost(space), lambda layer: layer.macs),
        (params_cost(space), lambda layer: layer.params),
        (AdditiveCost.from_layers(space, partial(arbitrary, salt=1)), partial(arbitrary, salt=1)),
    ):
        direct = [sum(of_layer(layer) for _, layer in space.network(row)) for row in rows]
        np.testing.assert_allclose(cost(rows), direct, rtol=1e-12)


@pytest.mark.parametrize("name", [*space_names(), "nested", "toy"])
def test_effects_are_what_changes_of_one_gene_add(name):
    space = at_two_inputs(name)
    cost = AdditiveCost.from_layers(space, partial(arbitrary, salt=2))
    rng = np.random.default_rng(1)
    rows = space.completed(space.sample(20, rng), rng)
    effects, active, before = cost.effects(rows), space.active(rows), cost(space.canonical(rows))
    assert effects.shape == (20, sum(len(g.choices) for g in space.genes))
    for column, domain in enumerate(space.domain):
        for choice in domain.tolist():
            changed = rows.copy()
            changed[:, column] = choice
            expected = cost(space.canonical(changed)) - before
            added = effects[:, space.starts[column] + choice]
            np.testing.assert_allclose(added[active[:, column]], expected[active[:, column]], atol=1e-9)


@pytest.mark.parametrize("space", small_spaces(), ids=str)
@few
@given(salt=st.integers(0, 2**16))
def test_minimum_and_maximum_equal_brute_force(space, salt):
    cost = AdditiveCost.from_layers(space, partial(arbitrary, salt=salt))
    rows = enumerate_rows(space)
    values = cost(rows)
    for (value, row), best in ((cost.minimum(), values.min()), (cost.maximum(), values.max())):
        assert value == pytest.approx(best, rel=1e-12)
        assert cost(row[None])[0] == pytest.approx(best, rel=1e-12)
        assert row.tolist() in rows.tolist()


@few
@given(seed=st.integers(0, 2**16), n_factors=st.integers(0, 6))
def test_optima_of_any_factors_respect_domain_and_canonical_form(seed, n_factors):
    rng = np.random.default_rng(seed)
    space = toy_space().restrict(**{"ks[0]": [1, 5], "d[0]": [2, 3]}) if seed % 2 else nested_space().restrict(d=[1, 3])
    factors = [Factor((), np.array(rng.normal()))]
    for _ in range(n_factors):
        genes = tuple(rng.choice(space.n_genes, size=rng.integers(1, 4), replace=False).tolist())
        factors.append(Factor(genes, rng.normal(size=[len(space.genes[g].choices) for g in genes])))
    cost = AdditiveCost(space, factors)
    values = cost(enumerate_rows(space))
    assert cost.minimum()[0] == pytest.approx(values.min())
    assert cost.maximum()[0] == pytest.approx(values.max())
    assert cost(cost.minimum()[1][None])[0] == pytest.approx(values.min())


def test_a_cost_can_be_confined_to_a_part_of_its_space():
    space = get_space("ofa_mbv3_w1.0")
    part = space.restrict(r=[192, 208], d=3)
    whole, compiled = macs_cost(space).within(part), macs_cost(part)
    rows = part.sample(10, np.random.default_rng(0))
    np.testing.assert_array_equal(whole(rows), compiled(rows))
    assert whole.minimum()[0] == compiled.minimum()[0] > macs_cost(space).minimum()[0]
    assert whole.maximum()[0] == compiled.maximum()[0]


def test_rows_outside_the_domain_are_refused():
    space = get_space("ofa_mbv3_w1.0")
    cost = macs_cost(space.restrict(r=224))
    rows = space.sample(4, np.random.default_rng(0))
    rows[:, -1] = [24, 24, 0, 24]
    with pytest.raises(SpaceError, match=r"row 2 of the population: it is outside the part of ofa_mbv3_w1\.0"):
        cost(rows)


def test_rows_that_are_not_canonical_are_refused():
    space = toy_space()
    row = np.zeros((1, 8), dtype=np.int16)
    row[0, 1] = 2
    with pytest.raises(SpaceError, match="pass canonical rows"):
        macs_cost(space)(row)
    assert macs_cost(space)(space.canonical(row)) > 0


def test_an_empty_population_costs_nothing():
    space = toy_space()
    assert macs_cost(space)(space.sample(0, np.random.default_rng(0))).shape == (0,)
