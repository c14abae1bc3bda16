"""What every registered space must do."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from hwnas.errors import UnknownNameError
from hwnas.space import SearchSpace, get_space, macs_cost, params_cost, space_names


@pytest.fixture(params=space_names())
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return get_space(request.param)


def rows_of(space: SearchSpace, n: int = 25) -> np.ndarray:
    rng = np.random.default_rng(11)
    return np.concatenate([space.sample(n, rng), space.sample(n, rng, distinct_uniform=False)])


def test_it_is_found_by_its_name_and_built_once(space):
    assert get_space(space.name) is space


def test_names_are_unique(space):
    assert len({gene.name for gene in space.genes}) == space.n_genes
    assert len({slot.name for slot in space.slots}) == len(space.slots)


def test_choices_are_distinct_and_aliases_stand_for_choices(space):
    for gene in space.genes:
        assert len(set(gene.choices)) == len(gene.choices)
        assert set(gene.aliases.values()) <= set(gene.choices)
        if gene.controller is not None:
            assert gene.active_for < set(range(len(space.genes[gene.controller].choices)))


def test_archs_survive_json(space):
    rows = rows_of(space)
    archs = json.loads(json.dumps(space.decode_many(rows)))
    np.testing.assert_array_equal(space.encode_many(archs), rows)


def test_layers_chain_from_the_image_to_the_logits(space):
    if not space.slots:
        pytest.skip("its metrics come from a table")
    for row in rows_of(space):
        network = space.network(row)
        names = [name for name, _ in network]
        assert names == [slot.name for slot in space.slots if slot.name in names]
        r = space.decode(row)["r"]
        layers = [layer for _, layer in network]
        assert layers[0].input_shape[1:] == (r, r)
        assert len(layers[-1].output_shape) == 1
        for before, after in itertools.pairwise(layers):
            assert before.output_shape == after.input_shape


def test_costs_lie_between_their_exact_extremes(space):
    if not space.slots:
        pytest.skip("its metrics come from a table")
    rows = rows_of(space)
    for cost in (macs_cost(space), params_cost(space)):
        values = cost(rows)
        (low, low_row), (high, high_row) = cost.minimum(), cost.maximum()
        assert 0 < low <= values.min() <= values.max() <= high
        assert [low, high] == cost(np.stack([low_row, high_row])).tolist()
        assert space.contains(np.stack([low_row, high_row])).all()


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"space 'ofa_mbv3_w1': there is no such space; did you mean 'ofa_mbv3_w1"
    ):
        get_space("ofa_mbv3_w1")
