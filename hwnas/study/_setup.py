"""A search problem, and the sources of its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.metric import Budget, Metric
from hwnas.study._devices import USUAL, short
from hwnas.study._found import Found
from hwnas.study._given import Given
from hwnas.study._metrics import Metrics
from hwnas.study._table import keep

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable
    from hwnas.predictor import Predictor
    from hwnas.search import Problem
    from hwnas.study._slow_metric import SlowPredictor


@dataclass(frozen=True)
class Setup:
    """A search problem, and the sources of its metrics.

    Attributes:
        metrics: all metrics.
        wanted: the objectives, in order.
        budgets: budgets by column.
        table, accuracy: the sources of latency and accuracy.
        others: tables of further devices.
        given: the user's files.
        notes: notes for the user.
        device: the main device, as it was named.
        reference: reference that opens the space, if its name is not registered.
    """

    metrics: Metrics
    wanted: tuple[Metric, ...]
    budgets: dict[str, Budget]
    table: Found[LatencyTable] | None
    accuracy: Found[Predictor] | None
    others: Mapping[str, Found[LatencyTable]]
    given: Given
    notes: tuple[str, ...]
    device: str = USUAL
    reference: str | None = None

    def problem(self) -> Problem:
        """The problem, with checked budgets.

        Raises:
            InfeasibleError: no subnet meets a budget.
        """
        problem = self.under(self.budgets)
        problem.refuse_infeasible()
        return problem

    def under(self, budgets: Mapping[str, Budget]) -> Problem:
        """The problem with other budgets, which are not checked."""
        return self.metrics.problem(self.wanted, budgets)

    def told_by(self, predictor: SlowPredictor) -> Setup:
        """The setup with evaluations, or scores, in place of a predictor."""
        return replace(self, metrics=replace(self.metrics, predictor=predictor, tells=predictor.column))

    def keeping(self, folder: Path) -> Setup:
        """Save the latency tables in ``folder``, and use them from there; see ``Request.kept``."""
        others = {name: keep(found, folder / name, self.given.space) for name, found in self.others.items()}
        metrics = replace(self.metrics, others={name: found.it for name, found in others.items()})
        if self.table is None:
            return replace(self, metrics=metrics, others=others)
        table = keep(self.table, folder / short(self.device), self.given.space)
        return replace(self, metrics=replace(metrics, table=table.it), table=table, others=others)

    @property
    def facts(self) -> dict[str, Any]:
        """Facts for the provenance: the sources of the metrics."""
        facts: dict[str, Any] = {
            "device": self.table.facts if self.table else None,
            "predictor": self.accuracy.facts if self.accuracy else None,
        }
        if self.others:
            facts["devices"] = {name: found.facts for name, found in self.others.items()}
        if self.table is None and self.metrics.sized not in (None, "fp32"):
            facts["precision"] = self.metrics.sized  # the precision of `export` if no table has one
        if self.given.facts:
            facts["files"] = self.given.facts
        return facts
