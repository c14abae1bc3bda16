"""Searches that the caller drives by ask and tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.arguments import check_whole, checked_name
from hwnas.errors import DataError
from hwnas.metric import LATENCY, QUALITY
from hwnas.study._facts import search_facts, space_facts
from hwnas.study._front import Front
from hwnas.study._objectives import Objectives
from hwnas.study._prepare import prepare
from hwnas.study._request import Request
from hwnas.study._setup import Setup

if TYPE_CHECKING:
    from hwnas.search import Searcher


USUAL = {"searcher": None, "seed": 0, "evaluations": 10_000}
"""Default options of the search."""


class CallerTells:
    """The predictor of a metric whose values the caller tells: it knows none."""

    def predict(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` NaN."""
        return np.full(len(x), np.nan)

    predict_std = predict


class Loop:
    """A search that the caller drives. It begins with the first call, under the options of that call.

    Args:
        request: the problem; the caller tells accuracy, or the first objective if there is none.
    """

    def __init__(self, request: Request) -> None:
        self.setup = _setup(request)
        self._begun: tuple[Searcher, Mapping[str, Any]] | None = None

    def searcher(self, **options: Any) -> Searcher:
        """The searcher, as begun.

        Raises:
            DataError: an option is out of range, or the search has begun with other ones.
            UnknownNameError: there is no such searcher.
        """
        if self._begun is None:
            wanted = {**USUAL, **options}
            self._begun = self._begin(**wanted), wanted
        searcher, known = self._begun
        other = {name: value for name, value in options.items() if known.get(name) != value}
        if other:
            said = ", ".join(f"{name}={value!r}" for name, value in other.items())
            rule = "the search has begun with other options"
            raise DataError(f"ask({said})", rule, f"begin it by ask(0, {said}), or make another Study")
        return searcher

    def _begin(self, searcher: str | None, seed: int, evaluations: int) -> Searcher:
        from hwnas.search import SearchOptions, new_searcher, usual_searcher

        for name, value, least in (("seed", seed, 0), ("evaluations", evaluations, 1)):
            check_whole(f"ask: {name}", value, least)
        problem = replace(self.setup.problem(), slow=(self.setup.metrics.tells,))
        return new_searcher(searcher or usual_searcher(problem), problem, SearchOptions(evaluations, seed))

    def tell(self, x: NDArray[Any], values: Mapping[str, Any] | float | Sequence[float]) -> None:
        """Tell the values of ``(n, g)`` rows; see :meth:`Study.tell`."""
        from hwnas.metric import check_range, column_of, get_metric

        given = values if isinstance(values, Mapping) else {self.setup.metrics.tells: values}
        columns = {}
        for name, value in given.items():
            checked_name("tell: metric", name, "f1")
            try:
                columns[column_of(name)] = np.atleast_1d(np.asarray(value, dtype=np.float64))
            except (TypeError, ValueError):
                raise DataError(f"tell: {name} {value!r}", "values are numbers", "give one for each row") from None
            check_range(get_metric(name, "max"), columns[column_of(name)].ravel(), f"told {name}")
        self.searcher().tell(np.atleast_2d(np.asarray(x)), columns)

    def front(self) -> Front:
        """The front of all that was told.

        Raises:
            InfeasibleError: no subnet told meets all budgets.
        """
        metrics, result = self.setup.metrics, self.searcher().front()
        told = result.values
        known = {name: fn for name, fn in metrics.functions.items() if name not in told}
        values = {**{name: fn(result.x) for name, fn in known.items()}, **told}
        frame = metrics.frame(result, {name: values[name] for name in [*told, *known]})
        facts = {
            **search_facts(result, self.setup.budgets, {}),
            "space": space_facts(metrics.space, self.setup.reference),
            **self.setup.facts,
            "rows": len(frame),
        }
        return Front.of(frame, facts, metrics.space)


def _setup(request: Request) -> Setup:
    named = request.objectives or Objectives((QUALITY.column, LATENCY.column))
    metrics = [named.metric(column) for column in named.columns]
    told = next((m for m in metrics if m.source == "weights"), metrics[0])
    return prepare(replace(request, objectives=named), None, told.column).told_by(CallerTells(), told.column)
