"""Accuracies of populations as a metric of a search, journalled so that no evaluation is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SupernetError
from hwnas.executor import Done, Executor, Failed, Here
from hwnas.io import Journal
from hwnas.progress import notice
from hwnas.space import Arch, Population
from hwnas.supernet._base import Supernet
from hwnas.supernet._evaluate import Accuracy, error_of, evaluate
from hwnas.supernet.engine import Engine, get_engine
from hwnas.task import Task

REMEDY = "correct the cause and run the same command again, which resumes; or skip such subnets: --on-failure skip"


class MeasuredAccuracy:
    """Accuracies of populations. Each distinct subnet is evaluated once and remembered.

    As a metric of a search it maps ``(n, g)`` canonical rows to ``(n,)`` accuracies in percent. Subnets that are skipped
    because they always fail get the worst known accuracy, so that a search avoids them; see :meth:`has_failed`.

    Args:
        supernet: the shared weights.
        data: the samples.
        journal: keeps finished evaluations, which are not repeated. See :func:`accuracy_journal_identity`.
        engine: runs the subnets; None takes the one that suits this machine.
        executor: where they run; its work is :func:`evaluate` on a row. None runs them in this process. Neither accuracies
            nor journal depend on it.
        skip_failed: go on without subnets whose evaluation always fails, instead of stopping.

    Attributes:
        progress: called with (evaluated, to evaluate) before each evaluation and after the last.
    """

    progress: Callable[[int, int], None] | None = None

    def __init__(
        self,
        supernet: Supernet,
        data: Task,
        journal: Journal | None = None,
        engine: Engine | None = None,
        executor: Executor | None = None,
        *,
        skip_failed: bool = False,
    ) -> None:
        self.engine = engine or get_engine()
        self.supernet = supernet
        self.data = data
        self.journal = journal
        self.executor = executor if executor is not None else Here(self._opened)
        self.skip_failed = skip_failed
        self._known: dict[bytes, Accuracy | None] = {}
        for entry in journal.entries if journal is not None else ():
            row = supernet.space.encode(entry["arch"])
            if "failed" not in entry:
                self._known[row.tobytes()] = Accuracy.of_row(entry, supernet.metric)
            elif skip_failed:
                self._known[row.tobytes()] = None

    def _opened(self, _threads: int | None, /) -> Callable[[NDArray[Any]], Accuracy]:
        return lambda row: evaluate(self.supernet, row, self.data, self.engine)

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return np.array([accuracy.value for accuracy in self._or_worst(x)])

    def errors(self, x: NDArray[Any]) -> NDArray[np.float64] | None:
        """``(n,)`` standard errors of the values of rows, due to the choice of the samples; None if some are not known."""
        errors = [error_of(accuracy, self.data) for accuracy in self._or_worst(x)]
        return np.array(errors, dtype=np.float64) if None not in errors else None

    def _or_worst(self, x: NDArray[Any]) -> list[Accuracy]:
        """One accuracy per row, the worst known one in place of those that failed."""
        accuracies = self.accuracies(x)
        known = [accuracy for accuracy in self._known.values() if accuracy is not None]
        if not known:
            if accuracies:
                raise all_failed(len(accuracies))
            return []
        worst = (min if self.supernet.measures().maximise else max)(known, key=lambda accuracy: accuracy.value)
        return [worst if accuracy is None else accuracy for accuracy in accuracies]

    @property
    def n_known(self) -> int:
        """Number of distinct subnets evaluated so far, including those of the journal."""
        return len(self._known)

    def has_failed(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """``(n,)`` booleans: the row was skipped."""
        return np.array([self._known.get(row.tobytes(), 0) is None for row in x], dtype=bool)

    def is_whole(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """``(n,)`` booleans: the row was measured on all samples, as every row is unless it failed."""
        return ~self.has_failed(x)

    def facts(self, x: NDArray[Any]) -> dict[str, Any]:
        """Provenance of known rows: the numbers of samples that they were measured on and calibrated with."""
        one = next(a for a in self.accuracies(x) if a is not None)
        return {"images": one.n_images, "calibration": one.n_calibration}

    def accuracies(self, x: NDArray[Any]) -> list[Accuracy | None]:
        """One accuracy per row; None for rows that are skipped.

        Raises:
            SupernetError: the evaluation of a subnet always fails.
        """
        x = self.supernet.space.canonical(np.asarray(x))
        pending = {row.tobytes(): row for row in x if row.tobytes() not in self._known}
        # Subnets of one resolution run together, so that decoded images are used again.
        rows = sorted(pending.values(), key=lambda row: self.supernet.network(row)[0][1].input_shape)
        self._report(0, len(rows))
        for done, (row, outcome) in enumerate(zip(rows, self.executor.in_order(rows), strict=True), start=1):
            self._keep(row, outcome)
            self._report(done, len(rows))
        return [self._known[row.tobytes()] for row in x]

    def as_finished(self, rows: Iterator[Population | None]) -> Iterator[tuple[Population, float]]:
        """Evaluate canonical ``(g,)`` rows whenever a worker is free, and yield each row with its value when it finishes.

        A failed row takes the worst known value, and waits until there is one.

        Args:
            rows: rows that are not known yet; None if there is none at present, see ``Executor.as_finished``.

        Raises:
            SupernetError: the evaluation of a subnet always fails and is not skipped, or all evaluations fail.
        """
        waiting: list[Population] = []
        for _, row, outcome in self.executor.as_finished(rows):
            self._keep(row, outcome)
            self._report(len(self._known), len(self._known))
            waiting.append(row)
            if not self.has_failed(self.rows).all():
                yield from ((each, float(self(each[None])[0])) for each in waiting)
                waiting.clear()
        if waiting:
            raise all_failed(len(waiting))

    @property
    def rows(self) -> Population:
        """``(n, g)`` evaluated rows, including those of the journal."""
        known = b"".join(self._known)
        return np.frombuffer(known, dtype=np.int16).reshape(-1, self.supernet.space.n_genes)

    def _report(self, done: int, total: int) -> None:
        if self.progress is not None and total:
            self.progress(done, total)

    def _keep(self, row: NDArray[Any], outcome: Done | Failed) -> None:
        arch = self.supernet.space.decode(row)
        if isinstance(outcome, Done):
            accuracy: Accuracy | None = outcome.value
            getattr(self.data, "broken", {}).update(outcome.value.broken)
            entry = outcome.value.as_row(self.supernet.metric)
        else:
            accuracy, entry = None, skipped(arch, outcome, allowed=self.skip_failed)
        if self.journal is not None:
            self.journal.append({"arch": arch, **entry})
        self._known[row.tobytes()] = accuracy


def skipped(arch: Arch, outcome: Failed, *, allowed: bool) -> dict[str, Any]:
    """Report a subnet whose evaluation always fails, and return its journal entry.

    Raises:
        SupernetError: skipping is not ``allowed``.
    """
    if not allowed:
        error = SupernetError(f"subnet {json.dumps(arch)}", outcome.reason, REMEDY)
        error.add_note(outcome.trace)
        raise error
    notice(f"skipped: subnet {json.dumps(arch)}: {outcome.reason}")
    return {"failed": outcome.reason}


def all_failed(n: int) -> SupernetError:
    """The error raised when none of ``n`` subnets could be evaluated."""
    remedy = "correct the cause, and try them again: --on-failure stop"  # with skip they count as known
    return SupernetError("evaluation", f"no subnet of {n} could be evaluated", remedy)


def accuracy_journal_identity(
    supernet: Supernet, data: Mapping[str, Any], engine: Engine | None = None
) -> dict[str, Any]:
    """Everything that the accuracies of a journal depend on.

    Args:
        supernet: its space and weights.
        data: the other conditions: the images and their number, the batch size, the seed.
        engine: runs the subnets; None takes the one that suits this machine.
    """
    space = supernet.space
    return {
        "kind": "accuracy",
        "space": space.name,
        "fingerprint": space.fingerprint,
        "weights": supernet.digest,
        "engine": (engine or get_engine()).name,
        **({"metric": supernet.metric} if supernet.metric != type(supernet).metric else {}),
        **data,
    }
