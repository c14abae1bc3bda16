"""Other numbers of classes: the same genes and layers but for the head, whose key tables can share."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.errors import SpaceError, UnknownNameError
from hwnas.space import get_space, head_name, macs_cost, n_classes, params_cost, space_names, with_classes
from hwnas.supernet import get_supernet
from tests.conftest import REPOSITORY

NAMES = [name for name in space_names() if name.startswith(("ofa", "digits"))]


@pytest.mark.parametrize("name", NAMES)
def test_only_the_head_differs(name: str):
    space, seven = get_space(name), get_space(f"{name}-c7")
    assert (n_classes(seven), seven.name) == (7, f"{name}-c7")
    assert [(g.name, g.choices) for g in seven.genes] == [(g.name, g.choices) for g in space.genes]
    ours, theirs = seven.layers(), space.layers()
    heads = set(ours) - set(theirs)
    assert heads
    assert all(ours[key].output_shape == (7,) and "-o7" in key for key in heads)
    assert set(ours) - heads < set(theirs)
    x = space.sample(20, np.random.default_rng(0))
    features = [space.network(row)[-1][1].ops[-1].in_shape[0] for row in x]
    removed = (n_classes(space) - 7) * np.array(features)
    np.testing.assert_array_equal(macs_cost(space)(x) - macs_cost(seven)(x), removed)
    np.testing.assert_array_equal(params_cost(space)(x) - params_cost(seven)(x), removed + n_classes(space) - 7)


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back_is_the_same_space(name: str):
    space = get_space(name)
    usual = n_classes(space)
    assert with_classes(space, usual) is space
    back = with_classes(with_classes(space, 7), usual)
    assert (back.name, back.fingerprint, list(back.layers())) == (space.name, space.fingerprint, list(space.layers()))
    assert with_classes(with_classes(space, 7), 8).name == f"{name}-c8"


def test_restrictions_stay_and_names_are_found():
    space = with_classes(get_space("digits").restrict(r=8), 7)
    assert space.input_values == {"r": [8]}
    assert space.whole.base is not None
    assert head_name(space) == "classifier/linear"
    assert get_space("digits-c7") is get_space("digits-c7")
    assert get_space("digits-c7").fingerprint != get_space("digits").fingerprint
    with pytest.raises(UnknownNameError, match="did you mean 'digits'"):
        get_space("digts-c7")
    with pytest.raises(SpaceError, match="nasbench201: it has no layers"):
        get_space("nasbench201-c7")


def test_keys_of_other_spaces_are_kept_apart():
    own = get_supernet(f"{REPOSITORY / 'examples' / 'own_supernet.py'}:OwnSupernet").search_space()
    keys = set(with_classes(own, 7).layers()) - set(own.layers())
    assert keys
    assert all(key.endswith("-o7") for key in keys)


def test_spaces_without_a_linear_head_and_without_classes_are_refused():
    with pytest.raises(SpaceError, match="at least one class"):
        with_classes(get_space("digits"), 0)
