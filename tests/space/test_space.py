"""Genes, archs, counting, sampling and restricting, against definitions and brute force."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from hwnas.errors import SpaceError
from hwnas.space import Gene, PeakMemory, SearchSpace, Slot, conditional, get_space, macs_cost, space_names
from tests.space.toy import conv_layer, enumerate_rows, nested_space, raw_rows, small_spaces, toy_space

few = settings(max_examples=25, deadline=None)
any_space = st.sampled_from([*map(get_space, space_names()), toy_space(), nested_space()])


@few
@given(any_space.flatmap(lambda s: st.tuples(st.just(s), raw_rows(s))))
def test_canonical_form_is_stable_and_zeroes_only_what_has_no_effect(case):
    space, row = case
    canonical = space.canonical(row[None])
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    active = space.active(row[None])[0]
    np.testing.assert_array_equal(canonical[0][active], row[active])
    assert not canonical[0][~active].any()
    np.testing.assert_array_equal(space.active(canonical)[0], active)


@few
@given(any_space.flatmap(lambda s: st.tuples(st.just(s), raw_rows(s))))
def test_archs_and_rows_are_two_ways_to_write_one_subnet(case):
    space, row = case
    arch = space.decode(row)
    np.testing.assert_array_equal(space.encode(arch), space.canonical(row[None])[0])
    assert space.decode(space.encode(arch)) == arch
    assert space.encode_many(space.decode_many(np.stack([row, row]))).tolist() == [space.encode(arch).tolist()] * 2


@few
@given(
    any_space.flatmap(lambda s: st.tuples(st.just(s), raw_rows(s), st.integers(0, s.n_genes - 1), st.integers(1, 9)))
)
def test_rows_are_equal_exactly_when_their_networks_are(case):
    space, row, column, shift = case
    other = row.copy()
    other[column] = (other[column] + shift) % len(space.genes[column].choices)
    assume(space.slots)
    same_row = bool((space.canonical(row[None]) == space.canonical(other[None])).all())
    assert (space.network(row) == space.network(other)) == same_row


@few
@given(st.sampled_from(small_spaces()))
def test_size_counts_the_distinct_subnets(space):
    rows = enumerate_rows(space)
    assert space.size() == len(rows)
    assert len({tuple(space.network(row)) for row in rows}) == len(rows)
    assert space.contains(rows).all()
    assert np.array_equal(np.unique(rows, axis=0), space.every(10**6))
    assert space.every(0) is None


def test_size_of_published_spaces():
    # Cai et al. 2020: a stage of depth d has (3 kernels x 3 expansions)^d settings, d in 2, 3, 4.
    assert get_space("ofa_mbv3_w1.0").size() == 25 * (9**2 + 9**3 + 9**4) ** 5
    assert get_space("ofa_proxyless_w1.3").size() == 25 * 9 * (9**2 + 9**3 + 9**4) ** 5
    stages = [sum(3 ** (base + d) for d in (0, 1, 2)) for base in (2, 2, 4, 2)]
    assert get_space("ofa_resnet50").size() == 25 * 3**6 * 2 * int(np.prod(stages))


@pytest.mark.parametrize("space", small_spaces()[:6], ids=str)
def test_sampling_is_uniform_over_distinct_subnets(space):
    rows = enumerate_rows(space)
    draws = space.sample(40 * len(rows), np.random.default_rng(7))
    counts = Counter(map(tuple, draws.tolist()))
    assert counts.keys() <= set(map(tuple, rows.tolist()))
    observed = [counts[tuple(row)] for row in rows.tolist()]
    assert stats.chisquare(observed).pvalue > 1e-3


def test_upstream_sampling_is_uniform_per_gene_and_not_over_subnets():
    space = toy_space()
    rng = np.random.default_rng(3)
    depth = space.sample(6000, rng, distinct_uniform=False)[:, 5]
    assert stats.chisquare(np.bincount(depth, minlength=3)).pvalue > 1e-3
    weights = np.array([1, 3, 9]) / 13
    assert stats.chisquare(np.bincount(space.sample(6000, rng)[:, 5], minlength=3), 6000 * weights).pvalue > 1e-3


@pytest.mark.parametrize("distinct_uniform", [True, False])
def test_samples_are_canonical_repeatable_and_inside_the_domain(distinct_uniform):
    for space in small_spaces():
        drawn, again = (space.sample(50, np.random.default_rng(1), distinct_uniform=distinct_uniform) for _ in range(2))
        np.testing.assert_array_equal(drawn, again)
        np.testing.assert_array_equal(space.canonical(drawn), drawn)
        assert space.contains(drawn).all()
        assert space.sample(0, np.random.default_rng(1)).shape == (0, space.n_genes)


def test_restricting_keeps_what_a_row_means():
    space = get_space("ofa_mbv3_w1.0")
    part = space.restrict(r=[192, 224], d=[3, 4], **{"ks[0]": 7})
    rows = part.sample(20, np.random.default_rng(0))
    assert part.decode_many(rows) == space.decode_many(rows)
    assert part.fingerprint == space.fingerprint
    assert {a["r"] for a in part.decode_many(rows)} == {192, 224}
    assert {d for a in part.decode_many(rows) for d in a["d"]} == {3, 4}
    assert {a["ks"][0] for a in part.decode_many(rows)} == {7}
    assert not part.contains(space.restrict(r=128).sample(5, np.random.default_rng(0))).any()
    assert part.restrict(r=224).domain[-1].tolist() == space.restrict(r=224).domain[-1].tolist()


def test_input_genes_set_the_input_and_the_space_falls_into_one_part_per_setting():
    space = get_space("ofa_mbv3_w1.0").restrict(r=[192, 224], d=2)
    assert [space.genes[c].name for c in space.input_genes] == ["r"]
    assert space.input_values == {"r": [192, 224]}
    parts = list(space.by_input())
    assert [part.input_values for part in parts] == [{"r": [192]}, {"r": [224]}]
    assert sum(part.size() for part in parts) == space.size()
    table = get_space("nasbench201")
    assert table.input_values == {}
    assert [part.size() for part in table.by_input()] == [table.size()]


def test_the_whole_of_a_part_is_the_space():
    space = get_space("digits")
    part = space.restrict(r=8, d=1)
    assert part.whole.size() == space.size() > part.size()
    assert part.whole.fingerprint == space.fingerprint


def test_restricting_understands_upstream_spellings():
    proxyless = get_space("ofa_proxyless_w1.3").restrict(d=[2, 3])
    assert [len(proxyless.domain[c]) for c in proxyless.groups["d"]] == [2, 2, 2, 2, 2, 1]
    resnet = get_space("ofa_resnet50").restrict(**{"d[0]": 1})
    assert resnet.decode(resnet.sample(1, np.random.default_rng(0))[0])["d"][0] == 0
    numpys: Any = np.int64(224)
    assert get_space("ofa_resnet50").restrict(r=numpys).size() * 25 == get_space("ofa_resnet50").size()


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ({"q": 3}, "gene 'q': ofa_mbv3_w1.0 has ks, e, d, r; correct the name"),
        ({"ks[20]": 3}, "gene 'ks[20]': ofa_mbv3_w1.0 has ks, e, d, r; correct the name"),
        ({"ks": [3, 4]}, "ks = 4: its choices are 3, 5, 7; correct the value"),
        ({"r": 225}, "r = 225: its choices are 128 to 224 in steps of 4; correct the value"),
        ({"d": []}, "d[0] = : its choices are 2, 3, 4; pick one"),
    ],
)
def test_restrictions_that_make_no_sense_are_refused(allowed, message):
    with pytest.raises(SpaceError) as caught:
        get_space("ofa_mbv3_w1.0").restrict(**allowed)
    assert str(caught.value) == message


def test_restricting_a_choice_away_twice_is_refused():
    with pytest.raises(SpaceError, match=r"r = 128: its choices are 224; pick one"):
        get_space("ofa_mbv3_w1.0").restrict(r=224).restrict(r=128)


def arch(**changes):
    written = {"ks": [3] * 20, "e": [4] * 20, "d": [2] * 5, "r": 224}
    return {k: v for k, v in (written | changes).items() if not isinstance(v, str) or v != "absent"}


def test_genes_without_effect_may_hold_anything():
    space = get_space("ofa_mbv3_w1.0")
    skipped = [3, 3, 0, None] * 5
    row = space.encode(arch())
    for spelling in (
        arch(ks=skipped, e=[4, 4, "x", float("nan")] * 5),
        arch(ks=np.array([3] * 20), d=tuple([2] * 5), r=np.int64(224)),
        arch(r=[224], e=[4.0] * 20, wid=None),
    ):
        np.testing.assert_array_equal(space.encode(spelling), row)


def test_a_fixed_key_may_be_missing():
    space = get_space("ofa_mbv3_w1.0")
    np.testing.assert_array_equal(space.restrict(r=224).encode(arch(r="absent")), space.encode(arch()))
    with pytest.raises(SpaceError, match=r"ofa_mbv3_w1.0 needs 'r'; add 'r'"):
        space.encode(arch(r="absent"))


@pytest.mark.parametrize(
    ("bad", "rule", "remedy"),
    [
        (arch(ks=[3, 9] + [3] * 18), "ks[1] of ofa_mbv3_w1.0 is one of 3, 5, 7", "correct ks[1]"),
        (arch(e=["4"] + [4] * 19), "e[0] of ofa_mbv3_w1.0 is one of 3, 4, 6", "correct e[0]"),
        (arch(d=[2, 2, 2, 2, 1]), "d[4] of ofa_mbv3_w1.0 is one of 2, 3, 4", "correct d[4]"),
        (arch(d=[2, 2, None, 2, 2]), "d[2] of ofa_mbv3_w1.0 is one of 2, 3, 4", "correct d[2]"),
        (arch(r=225), "r of ofa_mbv3_w1.0 is one of 128 to 224 in steps of 4", "correct r"),
        (arch(r=float("nan")), "r of ofa_mbv3_w1.0 is one of 128 to 224 in steps of 4", "correct r"),
        (arch(r={}), "r of ofa_mbv3_w1.0 is one of 128 to 224 in steps of 4", "correct r"),
        (arch(ks=[3] * 19), "ofa_mbv3_w1.0 needs a list of 20", "correct 'ks', or name the arch's space"),
        (arch(ks=3), "ofa_mbv3_w1.0 needs a list of 20", "correct 'ks', or name the arch's space"),
        (arch(d="22222"), "ofa_mbv3_w1.0 needs a list of 5", "correct 'd', or name the arch's space"),
        (arch(r=[192, 224]), "ofa_mbv3_w1.0 needs one value", "correct 'r', or name the arch's space"),
        (arch(e="absent"), "ofa_mbv3_w1.0 needs 'e'", "add 'e'"),
        (arch(e=None), "ofa_mbv3_w1.0 needs 'e'", "add 'e'"),
        (arch(image_size=224), "ofa_mbv3_w1.0 has ks, e, d, r", "remove it"),
        ([3, 5, 7], "an arch of ofa_mbv3_w1.0 maps ks, e, d, r to values", "correct it"),
        (None, "an arch of ofa_mbv3_w1.0 maps ks, e, d, r to values", "correct it"),
    ],
)
def test_bad_archs_are_named_in_one_line(bad, rule, remedy):
    with pytest.raises(SpaceError) as caught:
        get_space("ofa_mbv3_w1.0").encode(bad)
    error = caught.value
    assert (error.rule, error.remedy) == (rule, remedy)
    assert error.value.startswith("arch")
    assert "\n" not in str(error)
    assert len(str(error)) < 320


def test_among_many_archs_the_bad_one_is_counted():
    with pytest.raises(SpaceError, match=r"correct d\[0\] in arch 2$"):
        get_space("ofa_mbv3_w1.0").encode_many([arch(), arch(), arch(d=[9] * 5)])


@pytest.mark.parametrize(
    ("row", "value", "rule"),
    [
        ([3, *[0] * 7], "row 0 of the population, choice 3", r"ks[0] of toy has choices 0 to 2, counted in order"),
        ([0] * 7 + [-1], "row 0 of the population, choice -1", r"r of toy has choices 0 to 1, counted in order"),
        ([0] * 5 + [3, 0, 0], "row 0 of the population, choice 3", r"d[0] of toy has choices 0 to 2, counted in order"),
        ([0] * 9, "rows of shape (1, 9), type int64", "toy has 8 integer genes"),
        ([0.0] * 8, "rows of shape (1, 8), type float64", "toy has 8 integer genes"),
    ],
)
def test_rows_of_no_subnet_are_refused(row, value, rule):
    space = toy_space()
    population = np.array([row])
    for use in (space.decode_many, lambda x: space.decode(x[0]), lambda x: space.network(x[0]), macs_cost(space)):
        with pytest.raises(SpaceError) as caught:
            use(population)
        assert (caught.value.value, caught.value.rule) == (value, rule)
    with pytest.raises(SpaceError, match="row 2 of the population"):
        PeakMemory(space)(np.array([[0] * 8, [0] * 8, [9] * 8]))


def test_upstream_spellings_of_one_subnet_are_one_row():
    resnet = get_space("ofa_resnet50")
    written = {"d": [0, 0, 1, 2, 0], "e": [0.2] * 18, "w": [0, 1, 2, 0, 1, 2], "r": 224}
    np.testing.assert_array_equal(resnet.encode(written), resnet.encode(written | {"d": [1, 0, 1, 2, 0]}))
    proxyless = get_space("ofa_proxyless_w1.3")
    written = {"ks": [3] * 21, "e": [4] * 21, "d": [2] * 6, "r": 224}
    np.testing.assert_array_equal(proxyless.encode(written), proxyless.encode(written | {"d": [2] * 5 + [1]}))


def test_fingerprints_agree_between_processes_and_tell_spaces_apart():
    code = "from hwnas.space import get_space, space_names; print([get_space(n).fingerprint for n in space_names()])"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "77")
    }
    here = [get_space(n).fingerprint for n in space_names()]
    assert outputs == {f"{here}\n"}
    assert len(set(here)) == len(here)


def test_fingerprint_changes_with_names_choices_and_conditions():
    def fingerprint(name="s", choices=(1, 2), active=(1,)):
        genes = [Gene("a", None, choices), conditional(Gene("b", None, (1, 2)), 0, active)]
        return SearchSpace(name, genes, []).fingerprint

    variants = [fingerprint(), fingerprint(name="t"), fingerprint(choices=(1, 3)), fingerprint(active=(0,))]
    assert len(set(variants)) == 4
    assert fingerprint() == variants[0]


def test_definitions_that_cannot_work_are_refused():
    two = Gene("a", None, (1, 2))
    nested = [two, conditional(Gene("b", None, (1, 2)), 0, [1]), conditional(Gene("c", None, (1, 2)), 1, [1])]
    circle = [conditional(Gene(name, None, (1, 2)), other, [1]) for name, other in (("a", 1), ("b", 0))]
    with pytest.raises(SpaceError, match="gene a: it depends on itself, through its controller; let conditions form"):
        SearchSpace("s", circle, [])
    with pytest.raises(SpaceError, match="gene l: it sets the input, so it is always active"):
        SearchSpace("s", [two, conditional(Gene("l", None, (8, 16), role="input"), 0, [1])], [])
    for genes, missing in ((1,), "b depends on a"), ((2, 1), "c depends on a"):
        with pytest.raises(SpaceError, match=f"slot layer: its gene {missing}, which is not among its genes"):
            SearchSpace("s", nested, [Slot("layer", genes, lambda k: conv_layer(4, k, 8))])


def test_what_a_gene_without_effect_holds_wakes_nobody():
    space = nested_space()
    row = np.zeros((1, space.n_genes), dtype=np.int16)
    row[0, [2, 0, 1]] = [1, 2, 1]  # the first layer's sub-choices are off, although both would let the next one on
    assert space.active(row)[0, [2, 0, 1]].tolist() == [True, False, False]
    assert space.canonical(row)[0, [2, 0, 1]].tolist() == [1, 0, 0]
    assert space.active(np.zeros_like(row))[0, [2, 0, 1]].tolist() == [True, True, True]


def one_slot(build: Callable[..., Any], columns: Any = (0, 1)) -> SearchSpace:
    return SearchSpace(
        "mine", [Gene("w", None, (4, 8)), Gene("r", None, (8, 12), role="input")], [Slot("a", columns, build)]
    )


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda w, _r: w / 0,
            "slot a, of values (4, 8): building its layer fails (ZeroDivisionError: division by zero)",
        ),
        (lambda _w: None, "building its layer fails (TypeError: "),
        (lambda _w, _r: "conv", "it returns a str, no LayerSpec and no None; correct the slot's build"),
    ],
)
def test_a_slot_that_builds_no_layer_is_named(build: Callable[..., Any], words: str) -> None:
    space = one_slot(build)
    for use in (space.layers, lambda: space.network(np.zeros(2, dtype=np.int16))):
        with pytest.raises(SpaceError, match=re.escape(words)):
            use()


def test_genes_of_a_slot_are_columns_in_any_sequence() -> None:
    space = one_slot(lambda w, r: conv_layer(w, 3, r), [0, 1])
    assert len(space.layers()) == 4
    for column in (2, -1):
        with pytest.raises(
            SpaceError, match=f"slot a: gene {column} is not among the 2 genes of mine, which count from 0"
        ):
            one_slot(lambda w: conv_layer(w, 3, 8), (column,))


def test_what_is_wrong_with_a_space_of_a_file_is_said_once(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from hwnas.space import SearchSpace, Slot\n\ndef space(): return SearchSpace('mine', [], [Slot('a', (0,), None)])\n"
    )
    with pytest.raises(SpaceError) as raised:
        get_space(f"{mine}:space")
    assert str(raised.value) == "slot a: gene 0 is not among the 0 genes of mine, which count from 0; correct its genes"
