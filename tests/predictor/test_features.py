"""Features against their definitions, one subnet at a time."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.predictor._features import Features
from hwnas.space import Gene, SearchSpace, get_space, macs_cost, nasbench201, space_names
from tests.space.toy import toy_space


@pytest.mark.parametrize("name", space_names())
def test_one_hot_marks_the_choice_of_each_active_gene(name):
    space = get_space(name)
    features = Features(space)
    x = space.sample(30, np.random.default_rng(0), distinct_uniform=False)
    ours = features.one_hot(x)
    active = space.active(x)
    for row in range(len(x)):
        expected = []
        for c in features.discrete:
            hot = np.zeros(len(space.genes[c].choices))
            hot[x[row, c]] = active[row, c]
            expected.append(hot)
        assert (ours[row] == np.concatenate(expected)).all()
    for part in ("one_hot", "one_hot_by_scale", "by_stage_by_scale", "totals"):
        matrix = getattr(features, part)(x)
        weights = np.random.default_rng(1).normal(size=matrix.shape[1])
        assert features.dot(part, x, weights) == pytest.approx(matrix @ weights)


def test_stages_hold_the_layers_their_depth_gene_switches():
    features = Features(get_space("ofa_mbv3_w1.0"))
    kernels = {g.stage: g.columns for g in features.stages if g.key == "ks"}
    assert kernels == {f"d[{s}]": tuple(range(4 * s, 4 * s + 4)) for s in range(5)}
    resnet = {g.stage: g.columns for g in Features(get_space("ofa_resnet50")).stages}
    assert [len(c) for c in resnet.values()] == [4, 4, 6, 4]


def test_the_summary_counts_what_is_active():
    space = toy_space()
    features = Features(space)
    arch = {"ks": [5, 3, 1, 3, 5], "e": None, "d": [2, 1], "r": 12}
    x = space.encode(arch)[None]
    assert [(g.key, g.columns) for g in features.stages] == [("ks", (0, 1, 2)), ("ks", (3, 4))]
    log_macs, inverse_macs, _, _, depth = features.totals(x)[0]
    assert np.exp(log_macs) == pytest.approx(macs_cost(space)(x)[0])
    assert inverse_macs == pytest.approx(1e8 / macs_cost(space)(x)[0])
    assert depth == 3
    assert features.by_stage(x)[0] == pytest.approx([8, 4, np.log(9), 2, 3, 3, np.log(4), 1])
    assert features.ordinal(x)[0] == pytest.approx([1, 0, 0, -1, 0, 0, -1, 1])


def test_resolutions_are_a_scale_and_few_choices_are_not():
    assert Features(get_space("ofa_mbv3_w1.0")).continuous == [45]
    assert Features(toy_space()).continuous == []


def test_a_space_of_names_without_layers_has_features():
    space = SearchSpace("words", [Gene("op", i, ("none", "skip", "conv")) for i in range(6)], [])
    features = Features(space)
    x = space.sample(5, np.random.default_rng(0))
    assert features.one_hot(x).sum() == 30
    assert features.totals(x).shape == features.by_stage(x).shape == (5, 0)


def test_named_choices_are_all_equally_far_apart():
    space = nasbench201()
    features = Features(space)
    x = np.zeros((5, 6), dtype=np.int16)
    x[:, 0] = range(5)
    z = features.ordinal(x)
    assert z.shape == (5, len(features.length_groups())) == (5, 30)
    distances = ((z[:, None] - z[None]) ** 2).sum(axis=-1)
    np.testing.assert_array_equal(distances, 2.0 * (1 - np.eye(5)))
