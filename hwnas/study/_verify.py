"""``hwnas search --verify``: measure the front, correct the latency model, search again, until it holds."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import NotHeldError
from hwnas.metric import LATENCY, Budget, Metric
from hwnas.progress import notice

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from hwnas.latency import Corrected, Measurement
    from hwnas.search import Problem, SearchResult
    from hwnas.space import AdditiveCost, Population
    from hwnas.study._measuring import Bench
    from hwnas.study._metrics import Metrics

ROUNDS = 4
"""Searches at most, the first included."""

MOST = 40
"""Subnets of a front that are measured per round, evenly thinned: a minute or two."""

Search = Callable[["Problem"], "SearchResult"]


@dataclass
class Verifier:
    """Measures fronts and learns from them.

    Attributes:
        metrics: what is predicted before anything is measured.
        bench: where to measure.
        journal: keeps what was measured.
        wanted, budgets: of the search.
        seed: of the order of runs.
        measured: everything measured so far, by row.
        rounds: what happened, for the provenance.
    """

    metrics: Metrics
    bench: Bench
    journal: Path
    wanted: Sequence[Metric]
    budgets: Mapping[str, Budget]
    seed: int = 0
    measured: dict[bytes, Measurement] = field(default_factory=dict)
    rounds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def budget_ms(self) -> float:
        """The latency budget."""
        return self.budgets[LATENCY.column].upper

    def run(self, search: Search) -> tuple[SearchResult, Metrics]:
        """A front of subnets that hold the latency budget by measurement, and the metrics with the corrected latency.

        Raises:
            NotHeldError: no subnet that was measured holds.
        """
        budget_ms = self.budget_ms
        original: AdditiveCost = self.metrics.functions[LATENCY.column]  # type: ignore[assignment]
        metrics, aim_ms, evaluations = self.metrics, budget_ms, 0
        for turn in range(1, ROUNDS + 1):
            result = search(
                metrics.problem(self.wanted, {**self.budgets, LATENCY.column: Budget(LATENCY, upper=aim_ms)})
            )
            evaluations += result.evaluations
            front = self._measure(result.x)
            broken = int((self._latencies(front) > budget_ms).sum())
            model = self._corrected(original.scaled(self._slowdown()))
            self._tell(turn, len(front), broken, aim_ms, model)
            if not broken:
                break
            # What the correction leaves unexplained is kept as a distance to the budget.
            smallest, _ = model.cost.within(metrics.space).minimum()
            if smallest > budget_ms:
                break
            aim_ms = max(budget_ms * (1 - model.after_pct / 100), smallest)
            metrics = replace(self.metrics, latency=model.cost)
        return self._front(replace(result, evaluations=evaluations), model), replace(self.metrics, latency=model.cost)

    def _measure(self, x: Population) -> Population:
        """Measure a front's subnets, evenly thinned; those that were."""
        import numpy as np

        from hwnas.report import thinned

        front = x[thinned(len(x), MOST)]
        if len(front) < len(x):
            notice(f"the front has {len(x)} subnets; {len(front)} of them, evenly thinned, are measured")
        fresh = np.array([row for row in front if row.tobytes() not in self.measured], dtype=x.dtype)
        if len(fresh):
            found = self.bench.measure(self.metrics.space, fresh, self.journal, seed=self.seed)
            self.measured.update({row.tobytes(): m for row, m in zip(fresh, found.measurements, strict=True)})
        return front

    def _rows(self) -> Population:
        import numpy as np

        rows = [np.frombuffer(key, dtype=np.int16) for key in self.measured]
        return np.stack(rows)

    def _latencies(self, x: Population) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        import numpy as np

        return np.array([self.measured[row.tobytes()].median_ms for row in x])

    def _slowdown(self) -> float:
        """The time a subnet takes now over its time at the table's speed: the median over all that were measured."""
        import numpy as np

        speeds = [m.speed_pct for m in self.measured.values() if m.speed_pct is not None]
        return float(100 / np.median(speeds)) if speeds else 1.0

    def _corrected(self, original: AdditiveCost) -> Corrected:
        from hwnas.latency import corrected

        rows = self._rows()
        return corrected(original, rows, self._latencies(rows))

    def _tell(self, turn: int, n: int, broken: int, aim_ms: float, model: Corrected) -> None:
        self.rounds.append(
            {
                "searched_under_ms": round(aim_ms, 4),
                "measured": n,
                "broke_the_budget": broken,
                "table_error_pct": round(model.before_pct, 3),
                "table_bias_pct": round(model.bias_pct, 3),
                "corrected_error_pct": round(model.after_pct, 3),
            }
        )
        held = f"{n - broken} of {n} subnets of the front hold {self.budget_ms:g} ms by measurement"
        errors = f"the table is off by {model.before_pct:.1f} %, corrected by {model.after_pct:.1f} %"
        then = "searching again with the corrected table" if broken and turn < ROUNDS else "done"
        notice(f"round {turn}: {held}; {errors}; {then}")

    def _front(self, result: SearchResult, model: Corrected) -> SearchResult:
        """What was measured in any round, holds, and is dominated by no other; latencies as measured."""
        import numpy as np

        from hwnas.search import non_dominated

        rows, budget_ms = self._rows(), self.budget_ms
        holding = rows[self._latencies(rows) <= budget_ms]
        if not len(holding):
            value = f"no subnet that was measured holds {budget_ms:g} ms"
            raise NotHeldError(value, "nothing is written", "try a larger budget")
        problem = replace(self.metrics, latency=model.cost).problem(self.wanted, self.budgets)
        values = {**problem.evaluate(holding), LATENCY.column: self._latencies(holding)}
        keep = non_dominated(problem.costs(values))
        dropped = int((self._latencies(rows) > budget_ms).sum())
        if dropped:
            notice(f"{dropped} measured subnets break the budget and are dropped")
        order = np.flatnonzero(keep)[np.argsort(problem.costs(values)[keep][:, 0], kind="stable")]
        return replace(result, problem=problem, x=holding[order], values={name: v[order] for name, v in values.items()})

    def add_measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A front's table with what was measured of its rows."""
        from hwnas.report import with_measured

        x = self.metrics.space.encode_many([json.loads(cell) for cell in frame["arch"]])
        found = [self.measured[row.tobytes()] for row in x]
        return with_measured(frame, range(len(frame)), found, self.budget_ms)

    def facts(self) -> dict[str, Any]:
        """For the provenance."""
        return {
            "device": self.bench.device.id,
            "subnets": len(self.measured),
            "rounds": self.rounds,
            "correction": "latency_ms is the table's sum, corrected by all measured subnets (Bayesian linear model)",
        }
