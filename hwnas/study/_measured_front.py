"""Shared by verifiers: rows from their bytes, and the front of measured rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwnas.search import Problem, SearchResult
    from hwnas.space import Population


def rows_of(measured: Mapping[bytes, Any]) -> Population:
    """``(n, g)`` rows of measurements that are keyed by the bytes of rows."""
    return np.stack([np.frombuffer(key, dtype=np.int16) for key in measured])


def measured_front(
    result: SearchResult, problem: Problem, x: Population, values: Mapping[str, NDArray[np.float64]]
) -> SearchResult:
    """A search result whose front is that of measured rows, best first.

    Args:
        result: the result of the search.
        problem: the problem with its original budgets.
        x: ``(n, g)`` measured rows, all within the budgets.
        values: ``(n,)`` values by objective, measured if possible.
    """
    from hwnas.search import non_dominated

    costs = problem.costs(values)
    order = np.flatnonzero(non_dominated(costs))
    order = order[np.argsort(costs[order, 0], kind="stable")]
    return replace(result, problem=problem, x=x[order], values={name: v[order] for name, v in values.items()})
