"""Evaluator: the values of subnets that a searcher asks for; slow ones are kept in a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.io import Journal
from hwnas.search.problem._problem import MetricFunction, Problem
from hwnas.search.problem._seen import Values
from hwnas.space import Population, SearchSpace


class Evaluator:
    """Tells every metric of rows. Slow metrics are evaluated row by row, each distinct subnet once.

    A search that was killed and is run again with the same journal takes from there what is known: same seed and
    same journal give the same search, byte by byte, and no evaluation that ended is lost or repeated.

    Args:
        problem: names the metrics, and which of them are slow.
        journal: keeps the slow values; begun with :func:`journal_identity`, or by a caller that names the data too.
        executor: where slow metrics run: anything that ``submit``s, such as ``ProcessPoolExecutor`` (the metric must
            then be picklable) or a cluster's. Journal and results do not depend on which evaluation ends first.
            None for this process.
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
        self.executor = executor
        self.progress = progress
        self._known: dict[bytes, dict[str, float]] = {}
        for entry in journal.entries if journal is not None else ():
            if all(name in entry for name in problem.slow):
                row = problem.space.encode(entry["arch"])
                self._known[row.tobytes()] = {name: float(entry[name]) for name in problem.slow}

    @property
    def n_known(self) -> int:
        """Distinct subnets whose slow metrics are known, those of the journal included."""
        return len(self._known)

    def __call__(self, x: NDArray[Any]) -> Values:
        """``(n,)`` values of ``(n, g)`` rows, by metric.

        Raises:
            DataError: a slow metric gave something that is not a finite number.
        """
        x = self.problem.space.canonical(np.asarray(x))
        values = {name: np.asarray(fn(x), dtype=np.float64) for name, fn in self.problem.known.items()}
        if self.problem.slow:
            self._evaluate(x)
            told = [self._known[row.tobytes()] for row in x]
            values |= {name: np.array([t[name] for t in told], dtype=np.float64) for name in self.problem.slow}
        return values

    def _evaluate(self, x: Population) -> None:
        pending = {row.tobytes(): row for row in x if row.tobytes() not in self._known}
        for done, (key, values) in enumerate(zip(pending, self._values_of(list(pending.values())), strict=True)):
            arch = self.problem.space.decode(pending[key])
            for name, value in values.items():
                if not np.isfinite(value):
                    rule = f"it is {value:g}, not a finite number"
                    raise DataError(f"{name} of {arch}", rule, "check the evaluation")
            if self.journal is not None:
                self.journal.append({"arch": arch, **values})
            self._known[key] = values
            self._report(done + 1, len(pending))

    def _values_of(self, rows: list[Population]) -> Iterator[dict[str, float]]:
        """Slow values of rows, in their order."""
        slow = {name: self.problem.metrics[name] for name in self.problem.slow}
        if rows:
            self._report(0, len(rows))
        if self.executor is None:
            yield from (_values(slow, row) for row in rows)
            return
        futures = [self.executor.submit(_values, slow, row) for row in rows]
        try:
            yield from (future.result() for future in futures)
        finally:
            for future in futures:
                future.cancel()

    def _report(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)


def _values(metrics: Mapping[str, MetricFunction], row: Population) -> dict[str, float]:
    return {name: float(fn(row[None])[0]) for name, fn in metrics.items()}


def journal_identity(space: SearchSpace, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a journal of evaluations belongs to: the space, and whatever the values depend on."""
    return {"kind": "evaluations", "space": space.name, "fingerprint": space.fingerprint, **facts}
