"""``--verify`` with a library of a model: measure the front on text, correct the scores, and search again.

A search prefers assemblies whose divergence the sum of scores underestimates. Measuring the front reveals the error, and
correcting the scores of its blocks corrects it for other assemblies too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import NotHeldError
from hwnas.metric import Budget, get_metric
from hwnas.progress import notice
from hwnas.study._divergence import divergences
from hwnas.study._library_file import SCORE
from hwnas.study._measured_front import measured_front, rows_of
from hwnas.study._model_on_text import ModelOnText
from hwnas.wording import count_of

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.search import MetricFunction, Problem, SearchResult
    from hwnas.space import AdditiveCost, Population
    from hwnas.study._additivity import Growth
    from hwnas.study._setup import Setup
    from hwnas.task import Divergence

ROUNDS = 3
"""Most searches, the first included."""

MOST = 24
"""Most assemblies of a front to measure per round, evenly thinned."""

FEWEST = 4
"""Least number of measured assemblies to correct scores by."""

GOOD_PCT = 5.0
"""Mean error in percent below which scores are not corrected further."""


@dataclass
class LibraryVerifier:
    """Measures assemblies and corrects the scores by them.

    Attributes:
        setup: the problem, with the original scores.
        given: the model, and the text of the library.
        journal: file that keeps measurements.
        measured: all measurements, by the bytes of rows.
        rounds: results of the rounds, for the provenance.
        notes: notes for the user.
    """

    setup: Setup
    given: ModelOnText
    journal: Path
    measured: dict[bytes, Divergence] = field(default_factory=dict)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def run(self, search: Callable[[Problem], SearchResult]) -> tuple[SearchResult, Setup]:
        """Find a front of measured assemblies; returns it and the setup with corrected scores.

        Raises:
            NotHeldError: no measured assembly is within the budgets.
        """
        from hwnas.study._additivity import Growth, corrected

        setup, evaluations, growth = self.setup, 0, Growth()
        sums = setup.metrics.given[SCORE]
        for turn in range(1, ROUNDS + 1):
            result = search(setup.under(self._of_sums(growth)))
            evaluations += result.evaluations
            front = self._measure(result.x)
            rows = self._moved(rows_of(self.measured))
            if not self._report(turn, front, growth(sums(front)), enough=len(rows) >= FEWEST):
                break
            sums, growth, left_out = corrected(self._scores(), rows, self._values(rows))
            self.rounds[-1]["growth_per_nat"] = round(growth.rate, 4)
            self.rounds[-1]["left_out_error_pct"] = _error_pct(left_out, self._values(rows))
            setup = self._with(sums)
        setup = self._with(lambda x: growth(sums(x)))
        return self._front(replace(result, evaluations=evaluations), setup), setup

    def _with(self, scores: MetricFunction) -> Setup:
        """The setup with other scores."""
        metrics = self.setup.metrics
        return replace(self.setup, metrics=replace(metrics, given={**metrics.given, SCORE: scores}))

    def _of_sums(self, growth: Growth) -> Mapping[str, Budget]:
        """The budgets, with bounds on divergences converted to bounds on sums of scores."""
        budgets = self.setup.budgets
        if SCORE not in budgets:
            return budgets
        own = budgets[SCORE]
        lower, upper = (
            float(growth.inverse(np.array(bound))) if isfinite(bound) else bound for bound in (own.lower, own.upper)
        )
        return {**budgets, SCORE: replace(own, lower=lower, upper=upper)}

    def _scores(self) -> AdditiveCost:
        from hwnas.space import AdditiveCost

        cost = self.setup.metrics.given[SCORE]
        assert isinstance(cost, AdditiveCost), "scores of libraries are sums"
        return cost

    def _measure(self, x: Population) -> Population:
        """Measure a front's assemblies, evenly thinned; returns them without the parent, whose divergence is 0."""
        from hwnas.report import thinned

        front = x[thinned(len(x), MOST)]
        fresh = [row for row in front if row.tobytes() not in self.measured]
        found = divergences(self.given, fresh, self.journal, title="measuring the front")
        self.measured |= {row.tobytes(): each for row, each in zip(fresh, found, strict=True)}
        return self._moved(front)

    def _moved(self, x: Population) -> Population:
        """The rows that differ from the parent."""
        return x[self._scores()(x) > 0]

    def _values(self, x: Population) -> NDArray[np.float64]:
        return np.array([max(self.measured[row.tobytes()].kl, 1e-9) for row in x])

    def _report(self, turn: int, front: Population, predicted: NDArray[np.float64], *, enough: bool) -> bool:
        """Record and report a round; returns whether to correct the scores: they err, and ``enough`` rows are measured."""
        from hwnas.study._additivity import Additivity

        if not len(front):
            return False
        measured = self._values(front)
        error_pct, found = _error_pct(predicted, measured), Additivity.of(predicted, measured)
        self.rounds.append(
            {
                "measured": len(front),
                "error_pct": error_pct,
                "spearman": round(found.spearman, 4) if isfinite(found.spearman) else None,
                "scale": round(found.scale, 4),
            }
        )
        off = error_pct >= GOOD_PCT and enough
        then = "searching again with corrected scores" if off and turn < ROUNDS else "done"
        notice(
            f"round {turn}: {SCORE} of {len(front)} assemblies is {error_pct:.0f} % off their measurement on average; {then}"
        )
        return off

    def _front(self, result: SearchResult, setup: Setup) -> SearchResult:
        """The front of all measured assemblies within the budgets, by measured scores."""
        rows = rows_of(self.measured)
        problem = setup.under(setup.budgets)
        values = {**problem.evaluate(rows), SCORE: self._values(rows)}
        inside = np.ones(len(rows), dtype=bool)
        for name, budget in setup.budgets.items():
            inside &= budget.holds(values[name] if name in values else setup.metrics.functions[name](rows))
        if not inside.any():
            raise NotHeldError("no measured assembly is within the budgets", "nothing is written", "raise them")
        return measured_front(result, problem, rows[inside], {name: v[inside] for name, v in values.items()})

    def add_measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A front's table with the measurements of its rows: divergence, perplexity, agreement."""
        space, frame = self.setup.metrics.space, frame.copy()
        x = space.encode_many([json.loads(cell) for cell in frame["arch"]])
        found = [self.measured[row.tobytes()] for row in x]
        beside = list(frame.columns).index(SCORE) + 1
        frame.insert(beside, get_metric(SCORE).companion("measured"), [each.kl for each in found])
        at = len(frame.columns) - 1
        source = f"measured on {count_of(self.given.windows, 'window')} of {self.given.data.name}"
        frame.insert(at, "perplexity", [each.perplexity for each in found])
        frame.insert(at + 1, "perplexity_source", source)
        frame.insert(at + 2, "agreement", [each.agreement_pct for each in found])
        return frame

    def facts(self) -> dict[str, Any]:
        """Facts for the provenance."""
        return {
            "text": self.given.facts(),
            "subnets": len(self.measured),
            "rounds": self.rounds,
            "correction": "kl is s (1 + growth s) of the sum s of scores, each with a factor; learned from all that was measured",
        }


def _error_pct(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> float:
    return round(float(100 * np.abs(predicted / measured - 1).mean()), 2)
