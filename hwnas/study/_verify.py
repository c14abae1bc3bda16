"""``hwnas search --verify``: measure the front, adapt the latency table, and search again until the front holds.

A search prefers subnets whose latency the table underestimates: among thousands of nearly equal accuracy, these look best.
Measuring the front reveals the error, and adapting the table corrects it for other subnets too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.errors import NotHeldError
from hwnas.metric import LATENCY, Budget
from hwnas.progress import notice
from hwnas.study._found import Found
from hwnas.study._measured_front import measured_front, rows_of
from hwnas.study._table import table_facts
from hwnas.wording import count_of

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.latency import LatencyTable, Measurement
    from hwnas.search import Problem, SearchResult
    from hwnas.space import Population, SearchSpace
    from hwnas.study._place import Place
    from hwnas.study._setup import Setup

ROUNDS = 4
"""Most searches, the first included."""

MOST = 40
"""Most subnets of a front to measure per round, evenly thinned: a minute or two."""

Search = Callable[["Problem"], "SearchResult"]


@dataclass
class Verifier:
    """Measures fronts and adapts the latency table to them.

    Attributes:
        setup: the problem, with the original table.
        place: where to measure.
        journal: file that keeps measurements.
        seed: seed of the order of runs.
        measured: all measurements, by the bytes of rows.
        rounds: results of the rounds, for the provenance.
    """

    setup: Setup
    place: Place
    journal: Path
    seed: int = 0
    measured: dict[bytes, Measurement] = field(default_factory=dict)
    rounds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def notes(self) -> tuple[str, ...]:
        """A note that only the main device is measured: tables of other devices are mostly of other machines."""
        others = ", ".join(filter(None, self.setup.metrics.tables))
        return (f"--verify measures on {self.place.label}; latency on {others} stays as predicted",) if others else ()

    @property
    def budget_ms(self) -> float:
        """The latency budget."""
        return self.setup.budgets[LATENCY.column].upper

    @property
    def table(self) -> LatencyTable:
        """The original table."""
        return self.setup.metrics.tables[""].it

    @property
    def space(self) -> SearchSpace:
        """The searched space."""
        return self.setup.metrics.space

    def run(self, search: Search) -> tuple[SearchResult, Setup]:
        """Find a front of subnets that hold the latency budget by measurement; returns it and the setup with the adapted table.

        Raises:
            NotHeldError: no measured subnet holds the budget.
        """
        budget_ms, budgets = self.budget_ms, self.setup.budgets
        setup, aim_ms, evaluations = self.setup, budget_ms, 0
        for turn in range(1, ROUNDS + 1):
            result = search(setup.under({**budgets, LATENCY.column: Budget(LATENCY, upper=aim_ms)}))
            evaluations += result.evaluations
            front = self._measure(result.x)
            broken = int((self._latencies(front) > budget_ms).sum())
            table = self._adapted()
            unexplained_pct = self._report(turn, len(front), broken, aim_ms, table)
            setup = self._with(table)
            if not broken:
                break
            # The next search keeps the remaining error of the table as a margin below the budget.
            smallest, _ = table.cost(self.space).minimum()
            if smallest > budget_ms:
                break
            aim_ms = max(budget_ms * (1 - unexplained_pct / 100), smallest)
        return self._front(replace(result, evaluations=evaluations), setup), setup

    def _with(self, table: LatencyTable) -> Setup:
        """The setup with an adapted table; its facts include those of the original table."""
        tables = self.setup.metrics.tables
        prior = tables[""].facts
        facts = {**table_facts(table, self.space), "prior": prior, "trust": prior.get("trust")}
        return self.setup.timed_by({**tables, "": Found(table, facts)})

    def _measure(self, x: Population) -> Population:
        """Measure a front's subnets, evenly thinned; returns the rows that are measured."""
        from hwnas.report import thinned

        front = x[thinned(len(x), MOST)]
        if len(front) < len(x):
            notice(f"the front has {len(x)} subnets; {len(front)} of them, evenly thinned, are measured")
        fresh = np.array([row for row in front if row.tobytes() not in self.measured], dtype=x.dtype)
        if len(fresh):
            found = self.place.measure(self.space, fresh, self.journal, seed=self.seed)
            self.measured.update({row.tobytes(): m for row, m in zip(fresh, found.measurements, strict=True)})
        return front

    def _latencies(self, x: Population) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([self.measured[row.tobytes()].median_ms for row in x])

    def _slowdown(self) -> float | None:
        """The median ratio of a subnet's time now to its time at the table's speed; None if unknown."""
        speeds = [m.speed_pct for m in self.measured.values() if m.speed_pct is not None]
        return float(100 / np.median(speeds)) if speeds else None

    def _adapted(self) -> LatencyTable:
        """The table, adapted to all measurements, at the present speed of the machine."""
        from hwnas.latency import adapted_table

        table, slowdown, rows = self.table, self._slowdown(), rows_of(self.measured)
        anchor = table.about(self.space).get("anchor")
        if anchor is not None and slowdown is not None:
            anchor = {**anchor, "median_ms": anchor["median_ms"] * slowdown}
        new, _ = adapted_table(table, self.place.device, self.space, rows, self._latencies(rows), anchor=anchor)
        return new

    def _report(self, turn: int, n: int, broken: int, aim_ms: float, table: LatencyTable) -> float:
        """Record and report a round; returns the adapted table's leave-one-out error in percent."""
        from hwnas.latency import fidelity

        space, rows = self.space, rows_of(self.measured)
        before = fidelity((self._slowdown() or 1.0) * self.table.cost(space)(rows), self._latencies(rows))
        after_pct = float((table.validation(space) or {})["mape_pct"])
        self.rounds.append(
            {
                "searched_under_ms": round(aim_ms, 4),
                "measured": n,
                "broke_the_budget": broken,
                "table_error_pct": round(before["mape_pct"], 3),
                "table_bias_pct": round(before["bias_pct"], 3),
                "adapted_error_pct": round(after_pct, 3),
            }
        )
        held = f"{n - broken} of {n} subnets of the front hold {self.budget_ms:g} ms by measurement"
        errors = f"the table is off by {before['mape_pct']:.1f} % on average, adapted to them by {after_pct:.1f} %"
        then = "searching again with the adapted table" if broken and turn < ROUNDS else "done"
        notice(f"round {turn}: {held}; {errors}; {then}")
        return after_pct

    def _front(self, result: SearchResult, setup: Setup) -> SearchResult:
        """The front of all measured subnets that hold the budget, by measured latencies."""
        rows, budget_ms = rows_of(self.measured), self.budget_ms
        holding = rows[self._latencies(rows) <= budget_ms]
        if not len(holding):
            value = f"no measured subnet holds {budget_ms:g} ms"
            raise NotHeldError(value, "nothing is written", "try a larger budget")
        problem = setup.under(setup.budgets)
        values = {**problem.evaluate(holding), LATENCY.column: self._latencies(holding)}
        dropped = len(rows) - len(holding)
        if dropped:
            notice(f"dropped: {count_of(dropped, 'measured subnet')} over the budget")
        return measured_front(result, problem, holding, values)

    def add_measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A front's table with the measurements of its rows."""
        from hwnas.report import with_measured

        x = self.space.encode_many([json.loads(cell) for cell in frame["arch"]])
        # The adapted table has the present speed, so measurements at the table's speed are converted to it.
        slowdown = self._slowdown() or 1.0
        found = [self.measured[row.tobytes()].slower(slowdown) for row in x]
        return with_measured(frame, range(len(frame)), found, self.budget_ms)

    def facts(self) -> dict[str, Any]:
        """Facts for the provenance."""
        return {
            "device": self.place.device.id,
            "precision": self.place.precision,
            "subnets": len(self.measured),
            "rounds": self.rounds,
            "correction": "latency_ms is the sum of the table, adapted to all measured subnets (Bayesian linear model)",
        }
