"""Dominance and hypervolume, against their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hwnas import report
from hwnas.search import hypervolume, non_dominated
from hwnas.search.problem._pareto import GRID_CELLS, behind

WHOLE = st.integers(0, 6).map(float)
POINTS = st.integers(1, 4).flatmap(
    lambda m: arrays(np.float64, st.tuples(st.integers(0, 12), st.just(m)), elements=WHOLE)
)


@given(values=POINTS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_non_dominated_is_its_definition(values: NDArray[np.float64], data: st.DataObject) -> None:
    maximise = data.draw(st.lists(st.booleans(), min_size=values.shape[1], max_size=values.shape[1]))
    costs = np.where(maximise, -values, values)
    expected = [not any((b <= a).all() and (b < a).any() for b in costs) for a in costs]
    assert non_dominated(values, maximise).tolist() == expected
    distinct = non_dominated(values, maximise, distinct=True)
    kept = [tuple(row) for row in values[distinct].tolist()]
    assert sorted(kept) == sorted({tuple(row) for row in values[np.array(expected, dtype=bool)].tolist()})


@given(values=POINTS)
@settings(max_examples=100, deadline=None)
def test_hypervolume_counts_unit_cells(values: NDArray[np.float64]) -> None:
    reference = [5.0] * values.shape[1]
    cells = itertools.product(range(5), repeat=values.shape[1])
    expected = sum(bool((values <= np.array(cell)).all(axis=1).any()) for cell in cells)
    assert hypervolume(values, reference) == pytest.approx(expected)
    assert hypervolume(-values, [-5.0] * values.shape[1], [True] * values.shape[1]) == pytest.approx(expected)


@given(values=POINTS.filter(len), front=POINTS.filter(len))
@settings(max_examples=100, deadline=None)
def test_behind_is_what_the_first_cost_lacks(values: NDArray[np.float64], front: NDArray[np.float64]) -> None:
    m = min(values.shape[1], front.shape[1])
    values, front = values[:, :m], front[:, :m]
    for row, gap in zip(values, behind(values, front), strict=True):
        covering = front[(front[:, 1:] <= row[1:]).all(axis=1), 0]
        assert gap == row[0] - covering.min(initial=np.inf)


def test_behind_a_large_front_errs_in_favour_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    front, rows = rng.random((1000, 3)), rng.random((500, 3))
    assert len(front) > GRID_CELLS**0.5
    exact = [row[0] - front[(front[:, 1:] <= row[1:]).all(axis=1), 0].min(initial=np.inf) for row in rows]
    gap = behind(rows, front)
    assert (gap <= exact).all()
    both = np.isfinite(gap) & np.isfinite(exact)
    assert np.abs(gap[both] - np.array(exact)[both]).mean() < 0.01


def test_the_report_uses_the_same_functions() -> None:
    assert report.hypervolume is hypervolume
    assert report.non_dominated is non_dominated
