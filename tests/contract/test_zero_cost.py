"""What every zero-cost score must do, on networks of every kind."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from hwnas.metric import BUILT_IN
from hwnas.space import SearchSpace
from hwnas.supernet import extremes, reference_kind
from hwnas.supernet.zero_cost import MACS_TAU, ZERO_COST
from tests.conftest import REPOSITORY

TRANSFORMER = f"{REPOSITORY / 'tests' / 'contract' / 'vit.py'}:Vit"


@pytest.fixture(scope="module", params=["digits", TRANSFORMER, "onnx"], ids=lambda name: name.rpartition(":")[2])
def space(request: pytest.FixtureRequest, onnx_file: Path) -> SearchSpace:
    name = str(onnx_file) if request.param == "onnx" else request.param
    whole = reference_kind(name).space()
    groups = {whole.genes[c].group: min(whole.genes[c].choices) for c in whole.input_genes}
    return whole.restrict(**groups)


@pytest.mark.parametrize("name", ZERO_COST)
def test_it_repeats_by_its_seed_and_prefers_the_largest(name: str, space: SearchSpace) -> None:
    score = ZERO_COST[name].score
    small, large = (space.network(row) for row in extremes(space))
    value = score(small, 0)
    assert math.isfinite(value)
    assert score(small, 0) == value
    assert score(small, 1) != value or name == "swap"  # a count may repeat
    assert score(large, 0) > value


def test_each_is_a_metric_that_is_no_accuracy_and_says_how_it_ranks() -> None:
    assert {m.name for m in BUILT_IN.values() if m.source == "untrained"} == set(ZERO_COST)
    for name, kind in ZERO_COST.items():
        metric = BUILT_IN[name]
        assert metric.column == f"{name}_score"
        assert "no accuracy" in metric.label
        assert set(kind.tau) == set(MACS_TAU)
        assert all(-1 <= tau <= 1 for tau in kind.tau.values())
