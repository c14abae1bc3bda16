"""``--racing``: searches that evaluate most subnets on a part of the samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hwnas.executor import Executor
    from hwnas.search import Problem, Race
    from hwnas.supernet import MeasuredAnswers
    from hwnas.task import SelectiveTask, Task


def can_race(data: Task) -> SelectiveTask:
    """The data, if subnets can race on them.

    Raises:
        DataError: the metric is not the share of correct samples, or the data cannot give single samples.
    """
    from hwnas.task import SCORES, SelectiveTask, top1

    name, score = next(iter(data.metrics.items()))
    if score is not top1:
        rule = f"{name} is not the share of correct samples, so a part of them does not estimate it"
        own = next(iter(type(data).metrics))  # the metric of its kind, whatever is measured now
        race = f", or race by {own}: --objectives {own},macs" if SCORES.get(own) is top1 else ""
        raise DataError("racing", rule, f"drop --racing{race}")
    if not isinstance(data, SelectiveTask):
        rule = f"{type(data).__name__} has no method validation_of, which gives some of its samples"
        raise DataError("racing", rule, "add it, or drop --racing")
    return data


class RacedAccuracy:
    """Accuracies by racing, in place of :class:`hwnas.supernet.MeasuredAccuracy`.

    Args:
        answers: margins of subnets on samples.
        data: the samples.
        tolerance: see :class:`hwnas.search.Race`.
    """

    def __init__(self, answers: MeasuredAnswers, data: SelectiveTask, tolerance: float) -> None:
        self.answers, self.data, self.tolerance = answers, data, tolerance
        self.progress: Callable[[int, int], None] | None = None
        answers.progress = self._report
        self._race: Race | None = None

    @property
    def race(self) -> Race:
        """The race, after :meth:`begin`."""
        assert self._race is not None
        return self._race

    @property
    def executor(self) -> Executor:
        """Where subnets are evaluated."""
        return self.answers.executor

    @property
    def n_known(self) -> int:
        """Number of subnets that were shown any samples."""
        return self.answers.n_known

    def begin(self, problem: Problem, seed: int) -> None:
        """Begin the race of a search."""
        from hwnas.search import Race

        self._race = Race(problem, self.answers, self.data.n_validation, self.tolerance, seed)

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` accuracies of canonical rows in percent; those of incomplete subnets are expected values."""
        self.race(x)
        return self._known(x)

    def errors(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` standard errors of the values of rows, by the choice of samples and by samples not shown."""
        return self.race.errors(x)

    def revised(self, x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Present estimates of the accuracies of rows that have raced; see SearchOptions."""
        (slow,) = self.race.problem.slow
        return {slow: self._known(x)}

    def _known(self, x: NDArray[Any]) -> NDArray[np.float64]:
        import numpy as np

        from hwnas.supernet import all_failed

        known = [e.row for e in self.race.entrants if not e.has_failed]
        if not known:
            raise all_failed(len(self.race.entrants))
        worst = self.race.values(np.stack(known)).min()
        return np.where(self.has_failed(x), worst, self.race.values(x))

    def has_failed(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """``(n,)``: which rows were skipped."""
        import numpy as np

        return np.array([e.has_failed for e in self.race.of(x)], dtype=bool)

    def is_whole(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """``(n,)``: which rows were shown all samples."""
        import numpy as np

        return np.array([not (e.has_failed or e.is_out) for e in self.race.of(x)], dtype=bool)

    def close(self) -> None:
        """End the race, and note in the journal where each incomplete subnet stopped."""
        self.race.close()
        for e in self.race.entrants:
            if e.is_out:
                std = 100 * e.std / self.race.n_samples
                (value,) = self.race.values(e.row[None]).tolist()
                self.answers.stop(e.row, value, std, e.n_shown)

    def facts(self, x: NDArray[Any]) -> dict[str, Any]:  # noqa: ARG002 (they cover all entrants)
        """Facts for the provenance: the number of samples, and the share that was shown."""
        entrants, n = self.race.entrants, self.race.n_samples
        shown = sum(e.n_shown for e in entrants)
        racing = {
            "tolerance": self.tolerance,
            "shown_pct": round(100 * shown / (n * len(entrants)), 2),
            "shown_all": sum(e.n_shown == n for e in entrants),
            "stopped": sum(e.is_out for e in entrants),
        }
        return {"images": n, "calibration": self.answers.n_calibration, "racing": racing}

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(self.n_known, self.n_known)
