"""Searches by scores of untrained networks: a last resort if no accuracy is known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError
from hwnas.files import beside
from hwnas.metric import Metric, registered
from hwnas.progress import notice, progress, resumable
from hwnas.study._slow_metric import SlowMetric, SlowPredictor
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.search import Problem, SearchResult
    from hwnas.space import SearchSpace
    from hwnas.study._request import Request
    from hwnas.study._search_settings import SearchSettings
    from hwnas.study._warm_start import Warm


@dataclass(frozen=True)
class Scoring(SlowMetric):
    """A search by a zero-cost score.

    Attributes:
        score: metric of the score.
        evals: subnets to score.
        seed: seed of the untrained weights.
    """

    how = "scored"

    score: Metric
    evals: int = 150
    seed: int = 0

    @property
    def said(self) -> str:
        return f"objectives {self.score.name}"

    def measures(self) -> Metric:
        """The metric of the score."""
        return self.score

    def space_and_column(self) -> tuple[SearchSpace | None, str]:
        """None, since a score has no space of its own, and the column of the score."""
        return None, self.score.column

    @contextmanager
    def opened(self, space: SearchSpace, csv: Path) -> Iterator[ScoringPredictor]:
        """Open the score to search by, with a journal beside ``csv``.

        Raises:
            DataError: the space has no layers.
        """
        from hwnas.io import Journal
        from hwnas.supernet.zero_cost import ZERO_COST, UntrainedScores, score_journal_identity

        name, zero_cost = self.score.name, ZERO_COST[self.score.name]
        notice(f"{name} is a score of untrained networks, no accuracy: {zero_cost.evidence}")
        path = beside(csv, "journal.jsonl")
        with Journal(path, score_journal_identity(space, name, self.seed)) as journal:
            scores = UntrainedScores(space, zero_cost.score, self.seed, journal)
            if scores.n_known:
                notice(f"{path} holds {count_of(scores.n_known, 'scored subnet')}; none is scored again")
            facts = {"name": name, "is": "a score of untrained networks, no accuracy", **zero_cost.facts}
            with resumable(lambda: f"{path} keeps {count_of(scores.n_known, 'scored subnet')}"):
                yield ScoringPredictor(scores, space, {**facts, "seed": self.seed}, self.score.column)


class ScoringPredictor(SlowPredictor):
    """Scores untrained networks."""

    key = "score"

    @property
    def facts(self) -> dict[str, Any]:
        return self.conditions

    @property
    def source(self) -> str:
        return "untrained network"

    def search(self, problem: Problem, settings: SearchSettings, evals: int, warm: Warm) -> SearchResult:
        from hwnas.search import gaussian_process, run_search

        slow = replace(problem, slow=(self.column,))
        with progress("scoring") as advance:
            return run_search(
                slow,
                settings.searcher,
                evaluations=evals,
                seed=settings.seed,
                start=warm.rows,
                fit=gaussian_process(self.space),
                progress=self.shown(advance, evals),
            )


def scoring_of(request: Request, evals: int = 150, seed: int = 0) -> Scoring | None:
    """The search by the score among the objectives; None if there is none.

    Raises:
        DataError: there are two scores, or a budget is on a score that is not an objective.
    """
    columns = request.objectives.columns if request.objectives is not None else ()
    scores = [metric for column in columns if (metric := registered(column)) and metric.source == "untrained"]
    if len(scores) > 1:
        named = ",".join(metric.name for metric in scores)
        raise DataError(f"objectives {named}", "a search can have only one score", f"drop {scores[1].name}")
    bounded = [b.metric for b in request.budgets.others.values() if b.metric.source == "untrained"]
    if bounded and bounded[0] not in scores:
        rule = "a score is only computed if it is an objective"
        raise DataError(f"budget {bounded[0].name}", rule, f"add --objectives {bounded[0].name},macs")
    return Scoring(scores[0], evals, seed) if scores else None
