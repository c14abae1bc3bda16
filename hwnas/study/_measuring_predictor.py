"""The accuracy of a search that measures every subnet.

The best of many noisy values is partly luck (the "optimizer's curse", Smith and Winkler 2006, doi:10.1287/mnsc.1050.0451).
On other samples it is lower, and a front of such values misses subnets that are as good. So at the end of a search each
subnet is judged by its expected accuracy: the posterior mean of a Gaussian process that is fitted to all of them, with the
sampling error of each value as its noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.executor import Pace
from hwnas.metric import own_metric, registered_or_own
from hwnas.predictor import MIN_SUBNETS
from hwnas.progress import notice, progress
from hwnas.study._data import noun_of
from hwnas.study._racing import RacedAccuracy
from hwnas.study._slow_metric import SlowPredictor
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.search import Fit, Problem, SearchOptions, SearchProgress, SearchResult, Surrogate
    from hwnas.space import Population, SearchSpace
    from hwnas.study._search_settings import SearchSettings
    from hwnas.study._warm_start import Warm
    from hwnas.supernet import MeasuredAccuracy

    Report = Callable[[SearchProgress], None]


class MeasuringPredictor(SlowPredictor):
    """Measures accuracies of a supernet's subnets; see SlowPredictor."""

    key = "evaluator"

    def __init__(
        self, evaluator: MeasuredAccuracy | RacedAccuracy, space: SearchSpace, conditions: dict[str, Any], column: str
    ) -> None:
        super().__init__(evaluator, space, conditions, column)
        self.evaluator: MeasuredAccuracy | RacedAccuracy = evaluator
        self._expects: Surrogate | None = None
        self._expected_by = 0

    def predict(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` measured values during the search; after it, values expected on other samples if sampling errors are
        known."""
        return super().predict(x) if self._expects is None else self._expects.predict(x)

    def predict_std(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` standard deviations of expected values; NaN for measured ones."""
        return super().predict_std(x) if self._expects is None else self._expects.predict_std(x)

    def beside(self, x: NDArray[Any]) -> Mapping[str, NDArray[np.float64]]:
        """Measured values, beside expected ones."""
        measured = own_metric(self.column, "max").companion("measured")
        return {} if self._expects is None else {measured: self.evaluator(x)}

    @property
    def facts(self) -> dict[str, Any]:
        """Facts for the provenance: weights, samples, failed subnets."""
        failed = [self.space.decode(row) for row in self.rows[self.evaluator.has_failed(self.rows)]]
        facts = {**self.conditions, **self.evaluator.facts(self.rows)}
        return {**facts, "failed": failed} if failed else facts

    @property
    def source(self) -> str:
        facts = self.facts
        where = f"measured on {facts['images']} {noun_of(self.evaluator.data)} of {facts['data']}"
        return where if self._expects is None else f"expected by {count_of(self._expected_by, 'subnet')} {where}"

    def search(self, problem: Problem, settings: SearchSettings, evals: int, warm: Warm) -> SearchResult:
        """See SlowPredictor."""
        from hwnas.search import SearchOptions, gaussian_process, with_prior

        fit: Fit = gaussian_process(self.space, self.evaluator.errors)
        fit = fit if warm.prior is None else with_prior(fit, warm.prior)
        slow, options = replace(problem, slow=(self.column,)), SearchOptions(evals, settings.seed, warm.rows, fit=fit)
        with progress("evaluating") as advance:
            report = self.shown(advance, evals, Pace(self.evaluator.executor.workers))
            run = self._search_freely if settings.asynchronous else self._search_in_batches
            found = run(slow, settings.searcher, options, report)
        return self._front_of_expected(found, fit)

    def _search_in_batches(
        self, slow: Problem, searcher: str | None, options: SearchOptions, report: Report
    ) -> SearchResult:
        from hwnas.search import run_search

        race = self.evaluator if isinstance(self.evaluator, RacedAccuracy) else None
        if race is not None:
            race.begin(slow, options.seed)
        found = run_search(
            slow,
            searcher,
            evaluations=options.evaluations,
            seed=options.seed,
            start=options.start,
            fit=options.fit,
            revise=None if race is None else race.revised,
            progress=report,
        )
        if race is not None:
            race.close()
        return found

    def _search_freely(
        self, slow: Problem, searcher: str | None, options: SearchOptions, report: Report
    ) -> SearchResult:
        """A search in which no worker waits for a batch."""
        from hwnas.search import drive_freely, new_searcher

        assert not isinstance(self.evaluator, RacedAccuracy)  # SearchSettings refuses it
        known = self.evaluator.rows[self.space.contains(self.evaluator.rows)]
        if self.evaluator.has_failed(known).all():
            known = known[:0]  # a searcher learns nothing from rows without a value
        left = max(options.evaluations - len(known), 0)
        at_once = self.evaluator.executor.workers
        begun = new_searcher(searcher or "linas", slow, replace(options, evaluations=max(left, 1), at_once=at_once))
        if len(known):  # left by an interrupted run
            begun.tell(known, {self.column: self.predict(known)})
        return drive_freely(begun, self._as_finished, report) if left else begun.front()

    def _as_finished(self, rows: Iterator[Population | None]) -> Iterator[tuple[Population, float]]:
        assert not isinstance(self.evaluator, RacedAccuracy)
        for row, value in self.evaluator.as_finished(rows):
            self._seen[row.tobytes()] = row
            yield row, value

    def _front_of_expected(self, found: SearchResult, fit: Fit) -> SearchResult:
        """The front of subnets that were measured on all samples, by their expected values.

        Skipped subnets, whose accuracy is a placeholder, are left out, and no longer dominate others.
        """
        from hwnas.search import Trial, best_of

        known = self.rows[~self.evaluator.has_failed(self.rows)]
        whole = self.rows[self.evaluator.is_whole(self.rows)]
        errors, measured = self.evaluator.errors(whole), self.evaluator(known)
        if len(known) >= MIN_SUBNETS and np.ptp(measured) == 0:
            alike = f"all {len(known):,} measured subnets have the same {self.column}, {measured[0]:.4g}"
            notice(
                f"{alike}: it cannot tell them apart. Networks that are hardly trained, and answer one class to all, are so"
            )
        elif errors is not None and len(known) >= MIN_SUBNETS:
            self._expects, self._expected_by = fit(known, measured), len(known)
            n, noun = self.facts["images"], noun_of(self.evaluator.data)
            points = " points" if registered_or_own(self.column).unit == "%" else ""
            luck = f"the choice of {n:,} moves one by about {np.median(errors):.2g}{points}"
            why = f"{luck}, so the best of {len(whole):,} measured ones are partly luck; these stand beside them"
            notice(f"values of {self.column} are those expected on other {noun}: {why}")
        x = best_of(found.problem, [Trial(found.searcher, found.seed, whole)])
        values = found.problem.evaluate(x)
        order = np.lexsort(found.problem.costs(values).T[::-1])
        return replace(found, x=x[order], values={name: v[order] for name, v in values.items()})
