"""Searches that the caller drives by ask and tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.metric import LATENCY, QUALITY
from hwnas.quantity import check_whole
from hwnas.study._facts import search_facts, space_facts
from hwnas.study._front import Front
from hwnas.study._objectives import Objectives
from hwnas.study._prepare import prepare
from hwnas.study._request import Request
from hwnas.study._setup import Setup

if TYPE_CHECKING:
    from hwnas.search import Searcher, SearchResult


USUAL = {"searcher": None, "seed": 0, "evaluations": 10_000}
"""Default options of the search."""


class CallerTells:
    """The predictor of a metric whose values the caller tells: it knows none."""

    def predict(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` NaN."""
        return np.full(len(x), np.nan)

    predict_std = predict


def caller_setup(request: Request) -> Setup:
    """The setup of a search that the caller drives. The caller tells accuracy, or the first objective if there is none."""
    named = request.objectives or Objectives((QUALITY.column, LATENCY.column))
    metrics = [named.metric(column) for column in named.columns]
    told = next((m for m in metrics if m.source == "weights"), metrics[0])
    return prepare(replace(request, objectives=named), None, told.column).told_by(CallerTells(), told.column)


def begin(setup: Setup, searcher: str | None, seed: int, evaluations: int) -> Searcher:
    """Begin a search that the caller drives.

    Args:
        setup: from :func:`caller_setup`.
        searcher: its name; None for the default one.
        seed: seed of its random numbers.
        evaluations: subnets that may be asked for in total.

    Raises:
        DataError: ``seed`` or ``evaluations`` is out of range.
        UnknownNameError: there is no such searcher.
    """
    from hwnas.search import SearchOptions, new_searcher, usual_searcher

    for name, value, least in (("seed", seed, 0), ("evaluations", evaluations, 1)):
        check_whole(f"ask: {name}", value, least)
    problem = replace(setup.problem(), slow=(setup.metrics.tells,))
    return new_searcher(searcher or usual_searcher(problem), problem, SearchOptions(evaluations, seed))


def caller_front(setup: Setup, result: SearchResult) -> Front:
    """The front of a search that the caller drives."""
    metrics, told = setup.metrics, result.values
    known = {name: fn for name, fn in metrics.functions.items() if name not in told}
    values = {**{name: fn(result.x) for name, fn in known.items()}, **told}
    frame = metrics.frame(result, {name: values[name] for name in [*told, *known]})
    facts = {
        **search_facts(result, setup.budgets, {}),
        "space": space_facts(metrics.space, setup.reference),
        **setup.facts,
        "rows": len(frame),
    }
    return Front.of(frame, facts, metrics.space)
