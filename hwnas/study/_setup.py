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
from hwnas.study._metrics import Metrics, TellsQuality
from hwnas.study._table import keep

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable
    from hwnas.search import Problem


@dataclass(frozen=True)
class Setup:
    """A search problem, and the sources of its metrics.

    Attributes:
        metrics: all metrics, with their sources.
        wanted: the objectives, in order.
        budgets: budgets by column.
        given: the user's files.
        notes: notes for the user.
        device: the main device, as it was named.
        reference: reference that opens the space, if its name is not registered.
    """

    metrics: Metrics
    wanted: tuple[Metric, ...]
    budgets: dict[str, Budget]
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

    def told_by(self, predictor: TellsQuality, column: str) -> Setup:
        """The setup with evaluations, scores or the caller in place of a predictor; no predictor has facts then."""
        return replace(self, metrics=replace(self.metrics, predictor=Found(predictor, {}), tells=column))

    def timed_by(self, tables: Mapping[str, Found[LatencyTable]]) -> Setup:
        """The setup with other latency tables, by the names of devices in columns."""
        return replace(self, metrics=replace(self.metrics, tables=tables))

    def keeping(self, folder: Path) -> Setup:
        """Save the latency tables in ``folder``, and use them from there; see ``Request.kept``."""
        tables, space = self.metrics.tables, self.given.space
        return self.timed_by({n: keep(found, folder / (n or short(self.device)), space) for n, found in tables.items()})

    @property
    def facts(self) -> dict[str, Any]:
        """Facts for the provenance: the sources of the metrics."""
        predictor, tables = self.metrics.predictor, {name: found.facts for name, found in self.metrics.tables.items()}
        facts: dict[str, Any] = {
            "device": tables.pop("", None),
            "predictor": (predictor.facts or None) if predictor else None,
        }
        if tables:
            facts["devices"] = tables
        if self.metrics.table is None and self.metrics.sized not in (None, "fp32"):
            facts["precision"] = self.metrics.sized  # the precision of `export` if no table has one
        if self.given.facts:
            facts["files"] = self.given.facts
        return facts
