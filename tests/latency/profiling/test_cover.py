"""Covering sets: complete by enumeration, and as small as can be."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.latency.profiling._cover import covering_set
from hwnas.space import SearchSpace, get_space
from tests.latency.fakes import tiny_space


def _keys(space: SearchSpace, row: np.ndarray) -> set[str]:
    return {layer.key for _, layer in space.network(row)}


def _all_rows(space: SearchSpace) -> np.ndarray:
    grid = np.array(list(itertools.product(*space.domain)), dtype=np.int16)
    return np.unique(space.canonical(grid), axis=0)


def test_it_is_as_small_as_brute_force_finds() -> None:
    space = tiny_space().restrict(r=8)
    rows = _all_rows(space)
    wanted = set(space.layers())
    smallest = next(
        n
        for n in itertools.count(1)
        if any(set().union(*(_keys(space, r) for r in c)) == wanted for c in itertools.combinations(rows, n))
    )
    assert len(covering_set(space, np.random.default_rng(0), times=1)) == smallest == 3


@pytest.mark.parametrize("times", [1, 2, 3])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_layer_of_the_domain_occurs_so_often(times: int, data: st.DataObject) -> None:
    widths = [data.draw(st.sets(st.sampled_from([4, 8, 16]), min_size=1)) for _ in range(3)]
    fixed: dict[str, list[int]] = {f"w[{i}]": sorted(w) for i, w in enumerate(widths)}
    fixed["d"] = sorted(data.draw(st.sets(st.sampled_from([1, 2]), min_size=1)))
    space = tiny_space().restrict(**fixed)
    rows = covering_set(space, np.random.default_rng(data.draw(st.integers(0, 99))), times=times)
    seen = Counter(key for row in rows for key in _keys(space, row))
    assert set(seen) == set(space.layers())
    assert min(seen.values()) >= times
    assert space.contains(rows).all()
    np.testing.assert_array_equal(rows, space.canonical(rows))


def test_published_spaces_need_no_more_than_a_layer_has_settings() -> None:
    space = get_space("ofa_mbv3_w1.0").restrict(r=224)
    # 9 kernels and expansions of each stage's first block: no fewer can do.
    assert len(covering_set(space, np.random.default_rng(0), times=1)) == 9
