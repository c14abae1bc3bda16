"""Evaluator: computes the values of subnets that a searcher asks for, and keeps slow ones in a journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.executor import Executor, Failed, Here
from hwnas.io import Journal
from hwnas.search.problem._problem import MetricFunction, Problem
from hwnas.search.problem._seen import Values
from hwnas.space import Population, SearchSpace


@dataclass(frozen=True)
class SlowMetrics:
    """The slow metrics of a problem, in the form that an executor runs. Nothing else travels to its workers.

    Attributes:
        metrics: functions by name; picklable if workers are other processes.
    """

    metrics: Mapping[str, MetricFunction]

    @classmethod
    def of(cls, problem: Problem) -> SlowMetrics:
        """The metrics that a problem names as slow."""
        return cls({name: problem.metrics[name] for name in problem.slow})

    def __call__(self, _threads: int | None, /) -> Callable[[Population], dict[str, float]]:
        return self._values

    def _values(self, row: Population) -> dict[str, float]:
        return {name: float(fn(row[None])[0]) for name, fn in self.metrics.items()}


class Evaluator:
    """Computes every metric of rows. Slow metrics are evaluated row by row, once per distinct subnet.

    A search that was killed and is run again with the same journal reads the known values from it. The same seed and
    the same journal give the same search, byte by byte; no finished evaluation is lost or repeated.

    Args:
        problem: names the metrics, and which of them are slow.
        journal: keeps the slow values. Its identity is :func:`journal_identity`, or one that also names the data.
        executor: runs the slow metrics, for example ``Processes(4, SlowMetrics.of(problem))``; None for this process.
            Neither results nor the journal depend on it.
        progress: called with (evaluated, to evaluate) of a batch, before each evaluation and after the last.
    """

    def __init__(
        self,
        problem: Problem,
        journal: Journal | None = None,
        executor: Executor | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.problem = problem
        self.journal = journal
        self.executor = executor if executor is not None else Here(SlowMetrics.of(problem))
        self.progress = progress
        self._known: dict[bytes, dict[str, float]] = {}
        for entry in journal.entries if journal is not None else ():
            if all(name in entry for name in problem.slow):
                row = problem.space.encode(entry["arch"])
                self._known[row.tobytes()] = {name: float(entry[name]) for name in problem.slow}

    @property
    def n_known(self) -> int:
        """Distinct subnets with known slow metrics, those in the journal included."""
        return len(self._known)

    def __call__(self, x: NDArray[Any]) -> Values:
        """``(n,)`` values of ``(n, g)`` rows, by metric.

        Raises:
            DataError: a slow metric gave something that is not a finite number, or always fails.
        """
        x = self.problem.space.canonical(np.asarray(x))
        values = self.problem.evaluate_known(x)
        if self.problem.slow:
            self._evaluate(x)
            slow = [self._known[row.tobytes()] for row in x]
            values |= {name: np.array([v[name] for v in slow], dtype=np.float64) for name in self.problem.slow}
        return values

    def _evaluate(self, x: Population) -> None:
        pending = {row.tobytes(): row for row in x if row.tobytes() not in self._known}
        rows = list(pending.values())
        if rows:
            self._report(0, len(rows))
        for done, (row, outcome) in enumerate(zip(rows, self.executor.in_order(rows), strict=True), start=1):
            arch = self.problem.space.decode(row)
            if isinstance(outcome, Failed):
                error = DataError(f"{', '.join(self.problem.slow)} of {arch}", outcome.reason, "check the evaluation")
                error.add_note(outcome.trace)
                raise error
            values: dict[str, float] = outcome.value
            for name, value in values.items():
                if not np.isfinite(value):
                    rule = f"it is {value:g}, not a finite number"
                    raise DataError(f"{name} of {arch}", rule, "check the evaluation")
            if self.journal is not None:
                self.journal.append({"arch": arch, **values})
            self._known[row.tobytes()] = values
            self._report(done, len(rows))

    def _report(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)


def journal_identity(space: SearchSpace, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a journal of evaluations: the space, and all ``facts`` that the values depend on."""
    return {"kind": "evaluations", "space": space.name, "fingerprint": space.fingerprint, **facts}
