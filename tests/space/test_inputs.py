"""Inputs of sizes that a space has no choice of."""

from __future__ import annotations

import numpy as np

from hwnas.graph import mixed_space
from hwnas.space import get_space, network_inputs, with_inputs

SPACE = get_space("digits")


def test_networks_are_fed_with_any_size_and_rows_mean_the_same() -> None:
    part = with_inputs(SPACE, r=20)
    assert part.input_values == {"r": [20]}
    x = SPACE.sample(9, np.random.default_rng(0))
    assert part.whole.decode_many(x) == SPACE.decode_many(x)
    (column,) = SPACE.input_genes
    for row in x:
        own = row.copy()
        own[column] = part.domain[column][0]
        assert part.decode(own) == {**SPACE.decode(row), "r": 20}
        before, after = SPACE.network(row), part.network(own)
        (image,) = network_inputs(after).values()
        assert image.shape == (1, 20, 20)
        told = [
            [(slot, op.name, op.weights) for slot, layer in net for op in layer.ops if op.weights]
            for net in (before, after)
        ]
        assert told[0] == told[1]


def test_a_size_that_is_a_choice_restricts_the_space() -> None:
    part = with_inputs(SPACE, r=12)
    assert (part.fingerprint, part.input_values) == (SPACE.fingerprint, {"r": [12]})


def test_layers_have_the_precisions_that_they_would_have_had() -> None:
    one, other = with_inputs(mixed_space(SPACE, "fp32+int8"), r=20), mixed_space(with_inputs(SPACE, r=20), "fp32+int8")
    assert one.layers() == other.layers()
    assert one.fingerprint == other.fingerprint
    assert one.plain is not None
    assert one.plain.genes == with_inputs(SPACE, r=20).genes


def test_parts_of_a_space_keep_the_reference_that_opened_it():
    space = get_space("digits").opened_by("mine.json")
    assert get_space("digits").reference == "digits"
    for part in (space, space.restrict(r=8), space.restrict(r=8).whole, with_inputs(space, r=12)):
        assert (part.name, part.reference) == ("digits", "mine.json")
    assert space.restrict(r=8).opened_by("its.json").input_values == {"r": [8]}
    mixed = mixed_space(space, "fp32+int8").restrict(r=8)
    assert mixed.reference == "mine.json-fp32+int8"
    assert mixed.plain is not None
    assert mixed.plain.reference == "mine.json"
