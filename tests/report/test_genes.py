"""Chosen genes of a front's members, against a count by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hwnas.report._genes import SKIPPED, chosen
from hwnas.space import get_space


@pytest.mark.parametrize("name", ["ofa_mbv3_w1.0", "ofa_proxyless_w1.3", "ofa_resnet50"])
def test_choices_and_skipped_layers_of_every_space(name: str) -> None:
    space = get_space(name)
    x = space.sample(40, np.random.default_rng(0))
    archs = space.decode_many(x)
    active = space.active(x)
    groups = chosen(pd.DataFrame({"arch": [json.dumps(a) for a in archs]}), space)
    assert [g.key for g in groups] == list(space.groups)
    for group in groups:
        for i, arch in enumerate(archs):
            values = arch[group.key] if isinstance(arch[group.key], list) else [arch[group.key]]
            for p, column in enumerate(space.groups[group.key]):
                code = group.codes[i, p]
                assert (code == SKIPPED) == (not active[i, column])
                assert code == SKIPPED or group.choices[code] == values[p]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("ofa_mbv3_w1.0", [4] * 5), ("ofa_proxyless_w1.3", [4] * 5 + [1]), ("ofa_resnet50", [4, 4, 6, 4])],
)
def test_stages_are_those_of_the_published_networks(name: str, sizes: list[int]) -> None:
    space = get_space(name)
    arch = space.decode(space.sample(1, np.random.default_rng(0))[0])
    expansion = next(g for g in chosen(pd.DataFrame({"arch": [json.dumps(arch)]}), space) if g.key == "e")
    assert np.bincount(expansion.stages).tolist() == sizes


def test_archs_of_an_unknown_space_count_as_they_are_written() -> None:
    archs = [{"op": ["skip", "conv"], "w": 8}, {"op": ["conv"], "w": 16}, {"op": ["conv", "conv"], "w": 8}]
    op, width = chosen(pd.DataFrame({"arch": [json.dumps(a) for a in archs]}), None)
    assert op.choices == ("conv", "skip")
    assert op.codes.tolist() == [[1, 0], [0, SKIPPED], [0, 0]]
    assert width.choices == (8, 16)


@pytest.mark.parametrize("arch", [{}, {"a": None}, {"a": {"b": 1}}, {"a": []}, {"a": [[1]]}])
def test_archs_of_another_form_are_left_out(arch: dict[str, object]) -> None:
    assert chosen(pd.DataFrame({"arch": [json.dumps(arch)]}), None) == []


def test_archs_that_are_not_of_the_space_are_still_shown() -> None:
    groups = chosen(pd.DataFrame({"arch": [json.dumps({"ks": [9]})]}), get_space("ofa_mbv3_w1.0"))
    assert [(g.key, g.choices) for g in groups] == [("ks", (9,))]
