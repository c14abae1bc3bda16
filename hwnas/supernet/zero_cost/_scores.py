"""Zero-cost scores of populations, journalled so that a killed search resumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.io import Journal
from hwnas.space import SearchSpace
from hwnas.supernet.zero_cost._zero_cost import Score


class UntrainedScores:
    """A metric of a search: maps ``(n, g)`` canonical rows to ``(n,)`` scores. Each distinct subnet is scored once.

    Args:
        space: with layers.
        score: a function of ``hwnas.supernet.zero_cost.ZERO_COST``.
        seed: of the untrained weights.
        journal: keeps the scores; see :func:`score_journal_identity`.

    Attributes:
        progress: called with (scored, to score) before each subnet and after the last.
    """

    progress: Callable[[int, int], None] | None = None

    def __init__(
        self,
        space: SearchSpace,
        score: Score,
        seed: int,
        journal: Journal,
    ) -> None:
        self.space, self.score, self.seed, self.journal = space, score, seed, journal
        self._known = {space.encode(entry["arch"]).tobytes(): float(entry["score"]) for entry in journal.entries}

    @property
    def n_known(self) -> int:
        """Number of distinct subnets scored so far, including those of the journal."""
        return len(self._known)

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        x = self.space.canonical(np.asarray(x))
        pending = {row.tobytes(): row for row in x if row.tobytes() not in self._known}
        for done, (key, row) in enumerate(pending.items()):
            if self.progress is not None:
                self.progress(done, len(pending))
            value = self.score(self.space.network(row), self.seed)
            self.journal.append({"arch": self.space.decode(row), "score": value})
            self._known[key] = value
        if self.progress is not None and pending:
            self.progress(len(pending), len(pending))
        return np.array([self._known[row.tobytes()] for row in x])


def score_journal_identity(space: SearchSpace, name: str, seed: int) -> Mapping[str, Any]:
    """Everything that the scores of a journal depend on."""
    return {
        "kind": "zero-cost score",
        "space": space.name,
        "fingerprint": space.fingerprint,
        "score": name,
        "seed": seed,
    }
