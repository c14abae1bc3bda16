"""Journaled: a slow metric whose every evaluation is on disk before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.io import Journal
from hwnas.search.problem._problem import Metric
from hwnas.space import SearchSpace


class Journaled:
    """A metric that evaluates each distinct subnet once, one at a time, and remembers it in a journal.

    A search that was killed and is run again with the same journal takes what is known from there: same
    seed and same journal give the same search, and no evaluation is lost or repeated.

    Args:
        metric: the slow metric; it is called with one row at a time.
        space: of its rows.
        journal: open, and begun with :func:`journal_identity`, or one of the caller's that names the data too.
        name: key of the values in the journal (``"top1"``); one journal may hold several metrics.
        progress: called with (evaluated, to evaluate) of a batch, before each evaluation and after the last.
    """

    def __init__(
        self,
        metric: Metric,
        space: SearchSpace,
        journal: Journal,
        name: str,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.metric = metric
        self.space = space
        self.journal = journal
        self.name = name
        self.progress = progress
        self._known: dict[bytes, float] = {}
        for entry in journal.entries:
            if name in entry:
                self._known[space.encode(entry["arch"]).tobytes()] = float(entry[name])

    @property
    def n_known(self) -> int:
        """Distinct subnets evaluated so far, those of the journal included."""
        return len(self._known)

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` values of ``(n, g)`` rows.

        Raises:
            DataError: the metric gave something that is not a finite number.
        """
        x = self.space.canonical(np.asarray(x))
        pending = {row.tobytes(): row for row in x if row.tobytes() not in self._known}
        for done, (key, row) in enumerate(pending.items()):
            self._tell(done, len(pending))
            value = float(self.metric(row[None])[0])
            arch = self.space.decode(row)
            if not np.isfinite(value):
                raise DataError(f"{self.name} of {arch}", f"it is {value}, not a finite number", "check the evaluation")
            self.journal.append({"arch": arch, self.name: value})
            self._known[key] = value
        if pending:
            self._tell(len(pending), len(pending))
        return np.array([self._known[row.tobytes()] for row in x], dtype=np.float64)

    def _tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)


def journal_identity(space: SearchSpace, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a journal of evaluations belongs to: the space, and whatever the values depend on."""
    return {"kind": "evaluations", "space": space.name, "fingerprint": space.fingerprint, **facts}
