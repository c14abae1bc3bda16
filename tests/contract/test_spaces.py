"""What every registered space must do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas.errors import UnknownNameError
from hwnas.search import Objective, Problem, run_search
from hwnas.space import SearchSpace, get_space, macs_cost, network_inputs, params_cost, space_names
from hwnas.space.ops import Op, Shape
from hwnas.supernet.onnx import elastic_file
from tests.contract.vit import Vit


@pytest.fixture(params=[*space_names(), "vit", "onnx"])
def space(request: pytest.FixtureRequest, onnx_file: Path) -> SearchSpace:
    if request.param == "onnx":
        return elastic_file(onnx_file).space
    return Vit.search_space() if request.param == "vit" else get_space(request.param)


def rows_of(space: SearchSpace, n: int = 25) -> np.ndarray:
    rng = np.random.default_rng(11)
    return np.concatenate([space.sample(n, rng), space.sample(n, rng, distinct_uniform=False)])


@pytest.mark.parametrize("name", space_names())
def test_it_is_found_by_its_name_and_built_once(name):
    assert get_space(name).name == name
    assert get_space(name) is get_space(name)


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


def test_layers_chain_from_the_inputs_to_one_output(space):
    if not space.slots:
        pytest.skip("its metrics come from a table")
    for row in rows_of(space):
        network = space.network(row)
        names = [name for name, _ in network]
        assert names == [slot.name for slot in space.slots if slot.name in names]
        assert network_inputs(network)
        assert len(network[-1][1].output_shape) == 1


def test_input_genes_set_the_inputs_and_nothing_else_does(space):
    if not space.slots:
        pytest.skip("its metrics come from a table")
    rows = rows_of(space)
    tensors: dict[tuple[Any, ...], Mapping[str, Shape]] = {}
    fed = [str(network_inputs(space.network(row))) for row in rows]
    settings = [tuple(row[space.input_genes].tolist()) for row in rows]
    assert len(set(fed)) == len(set(settings)) == len(set(zip(fed, settings, strict=True)))
    for row in rows[:5]:
        for part in space.by_input():
            at = row.copy()
            at[space.input_genes] = [part.domain[c][0] for c in space.input_genes]
            for slot, layer in space.network(at):
                for op in layer.ops:
                    key = (*np.delete(row, space.input_genes).tolist(), slot, op.name)
                    assert tensors.setdefault(key, op.weights) == op.weights


def test_one_key_stands_for_one_list_of_ops(space):
    found: dict[str, tuple[Op, ...]] = {}
    for slot in space.slots:
        for _, layer in space.slot_layers(slot):
            if layer is not None:
                assert found.setdefault(layer.key, layer.ops) == layer.ops
    assert found.keys() == space.layers().keys()


def test_a_search_finds_a_front_of_its_subnets(space):
    if not space.slots:
        pytest.skip("its metrics come from a table")
    macs, params = (
        Objective(name, "M", maximise=up, fn=fn)
        for name, up, fn in (("macs", False, macs_cost(space)), ("params", True, params_cost(space)))
    )
    result = run_search(Problem(space, [macs, params], []), "nsga2", population=20, generations=5, seed=0)
    assert space.contains(result.x).all()
    assert len(result.x) > 1


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
