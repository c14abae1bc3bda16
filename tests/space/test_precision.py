"""Spaces with precisions: their rows against brute force, and their boundaries against walks along networks."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.errors import SpaceError
from hwnas.graph import mixed_space
from hwnas.space import (
    AdditiveCost,
    Gene,
    LayerSpec,
    SearchSpace,
    Slot,
    get_space,
    precisions_named,
    with_classes,
)
from hwnas.space.ops import Convert
from hwnas.testing import SPACE_CHECKS, Check
from tests.space.toy import conv_layer, enumerate_rows, nested_space, toy_space

few = settings(max_examples=6, deadline=None)
BOTH = "fp32+int8"


def toys() -> list[SearchSpace]:
    """Small enough to enumerate with all precisions."""
    toy = mixed_space(toy_space(), BOTH)
    return [
        mixed_space(nested_space(), BOTH),
        toy.restrict(ks=[3], r=8),
        toy.restrict(ks=[3, 5]).restrict(**{"d[0]": [1, 3], "ks[0]": [3], "ks[3]": [5]}).restrict(**{"q[0]": ["int8"]}),
        mixed_space(get_space("digits").restrict(ks=3, e=2, r=8, d=[1, 2]), BOTH),
    ]


def arbitrary(layer: LayerSpec, salt: int) -> float:
    return float(np.random.default_rng([salt, *layer.key.encode()]).normal())


@pytest.mark.parametrize("check", SPACE_CHECKS)
def test_it_is_a_search_space_as_any(check: Check) -> None:
    check(mixed_space(get_space("digits").restrict(r=[8, 16]), BOTH))


@pytest.mark.parametrize("space", toys(), ids=str)
def test_a_skipped_slot_has_no_precision_and_rows_are_counted_once(space: SearchSpace) -> None:
    rows = enumerate_rows(space)
    assert space.size() == len(rows)
    networks = {json.dumps([(slot, layer.key) for slot, layer in space.network(row)]) for row in rows}
    assert len(networks) == len(rows), "equal networks are equal rows"
    chosen = [c for c, gene in enumerate(space.genes) if gene.role == "precision"]
    for row in rows[:: max(1, len(rows) // 50)]:
        names = {slot for slot, _ in space.network(row)}
        own = [slot for slot in space.slots if set(slot.genes) & set(chosen) and "_to_" not in slot.name]
        for slot, column in zip(own, chosen, strict=True):
            assert column in slot.genes
            assert space.active(row[None])[0, column] == (slot.name in names)


@pytest.mark.parametrize("space", [*toys(), mixed_space(get_space("ofa_resnet50"), BOTH)], ids=str)
def test_values_are_converted_where_precisions_meet_and_nowhere_else(space: SearchSpace) -> None:
    rows = space.sample(60, np.random.default_rng(0), distinct_uniform=False)
    for row in rows:
        found = space.network(row)
        layers = [(name, layer) for name, layer in found if isinstance(layer.ops[0], Convert)]
        plain = [(name, layer) for name, layer in found if not isinstance(layer.ops[0], Convert)]
        expected = []
        for (before, giving), (after, taken) in pairwise(plain):
            if giving.precision != taken.precision and _meets(giving, taken):
                expected.append((f"{before}_to_{after}", taken.precision, taken.input_shape))
        assert [(name, layer.precision, layer.input_shape) for name, layer in layers] == expected


@pytest.mark.parametrize("space", [*toys(), mixed_space(get_space("ofa_mbv3_w1.0").restrict(r=224), BOTH)], ids=str)
def test_layers_know_whether_their_input_lies_as_a_conversion_left_it(space: SearchSpace) -> None:
    seen = set()
    for row in space.sample(60, np.random.default_rng(1), distinct_uniform=False):
        plain = False
        for _, layer in space.network(row):
            assert layer.converted == plain
            seen.add(plain)
            if isinstance(layer.ops[0], Convert):
                plain = True
            elif not _adds_its_input(layer):
                plain = False
    assert seen == {True, False}
    assert space.layers().keys() >= {layer.key for _, layer in space.network(row)}


def _adds_its_input(layer: LayerSpec) -> bool:
    last = layer.ops[-1]
    if type(last).__name__ == "Activation":
        last = layer.ops[last.inputs[0] - 1]
    return type(last).__name__ == "Add" and 0 in last.inputs


def test_a_conversion_for_two_readers_is_another_layer() -> None:
    space = mixed_space(get_space("digits").restrict(r=8), BOTH)
    for row in space.sample(40, np.random.default_rng(2)):
        network = [layer for _, layer in space.network(row)]
        for before, layer in pairwise(network):
            if isinstance(before.ops[0], Convert):
                readers = sum(0 in op.inputs for op in layer.ops)
                assert before.bare_key.endswith(f"-{readers}times") == (readers > 1)


def _meets(given: LayerSpec, taken: LayerSpec) -> bool:
    """Whether integers are left, or taken, by the ops at the two ends: convolutions and what moves their values."""

    def integer(op: object) -> bool:
        kind, channels = type(op).__name__, op.in_shape[0]  # type: ignore[attr-defined]
        return kind != "Activation" and not (kind == "Conv" and op.groups == 1 and channels < 4)  # type: ignore[attr-defined]

    if taken.precision == "int8":
        return any(integer(op) for op in taken.ops if 0 in op.inputs)
    last = given.ops[-1]
    if type(last).__name__ == "Activation":
        last = given.ops[last.inputs[0] - 1] if last.function in ("relu", "relu6") else last  # type: ignore[attr-defined]
    return integer(last)


@pytest.mark.parametrize("space", toys(), ids=str)
@few
@given(salt=st.integers(0, 2**16))
def test_costs_with_boundaries_have_the_optima_of_brute_force(space: SearchSpace, salt: int) -> None:
    cost = AdditiveCost.from_layers(space, lambda layer: arbitrary(layer, salt))
    rows = enumerate_rows(space)
    values = cost(rows)
    some = np.random.default_rng(salt).choice(len(rows), 20)
    walked = [sum(arbitrary(layer, salt) for _, layer in space.network(row)) for row in rows[some]]
    np.testing.assert_allclose(values[some], walked, atol=1e-9)
    for (value, row), best in ((cost.minimum(), values.min()), (cost.maximum(), values.max())):
        assert value == pytest.approx(best)
        assert cost(row[None])[0] == pytest.approx(best)


def test_fixing_sets_all_precisions_and_the_first_columns_are_those_of_the_plain_space() -> None:
    plain = get_space("digits")
    space = mixed_space(plain, BOTH)
    assert space.name == "digits-fp32+int8"
    assert space.precisions == ("fp32", "int8")
    assert space.plain is plain.whole
    x = space.restrict(q="int8").sample(20, np.random.default_rng(1))
    for row in x:
        named = {slot: layer for slot, layer in space.network(row) if not isinstance(layer.ops[0], Convert)}
        assert {layer.precision for slot, layer in named.items() if slot != "stem"} == {"int8"}, (
            "but the first convolution"
        )
        assert named["stem"].precision == "fp32"
        same = plain.network(row[: plain.n_genes])
        assert {slot: layer.key for slot, layer in same} == {slot: layer.bare_key for slot, layer in named.items()}
    assert space.restrict(q="fp32").size() == plain.size()


def test_names_tell_space_and_precisions() -> None:
    assert precisions_named("digits-c7-fp32+int8") == ("digits-c7", ("fp32", "int8"))
    assert precisions_named("digits-c7") == ("digits-c7", ())
    assert precisions_named("bert-6x384-h12-f1536") == ("bert-6x384-h12-f1536", ())
    seven = mixed_space(with_classes(get_space("digits"), 7), BOTH)
    assert seven.name == "digits-c7-fp32+int8"
    assert seven.base is not None
    assert seven.base.name == "digits-fp32+int8"
    assert seven.fingerprint != seven.base.fingerprint
    with pytest.raises(SpaceError, match="set the classes of digits first"):
        with_classes(seven.base, 5)


def test_what_has_no_layers_or_is_skipped_by_several_genes_is_refused() -> None:
    with pytest.raises(SpaceError, match="nasbench201: it has no layers"):
        mixed_space(get_space("nasbench201"), BOTH)
    with pytest.raises(SpaceError, match="it has a gene q already"):
        mixed_space(mixed_space(get_space("digits"), BOTH), BOTH)
    genes = [Gene("a", None, (0, 1)), Gene("b", None, (0, 1)), Gene("r", None, (8,), role="input")]
    two = Slot("two", (0, 1, 2), lambda a, b, r: conv_layer(4, 1, r) if a and b else None)
    with pytest.raises(SpaceError, match="slot two of s: more than one gene decides whether it runs"):
        mixed_space(SearchSpace("s", genes, [Slot("one", (2,), lambda r: conv_layer(4, 1, r)), two]), BOTH)
