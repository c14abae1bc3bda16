"""Slow metrics, which a search evaluates subnet by subnet instead of predicting them: a measurement, or a score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.arguments import check_whole
from hwnas.errors import DataError

if TYPE_CHECKING:
    from hwnas.metric import Metric
    from hwnas.progress import Progress
    from hwnas.search import Problem, SearchProgress, SearchResult
    from hwnas.space import Population, SearchSpace
    from hwnas.study._request import Request
    from hwnas.study._search_settings import SearchSettings
    from hwnas.study._warm_start import Warm

FEWEST = 8
"""Least number of evaluations for a fit of a predictor."""


class Tells(Protocol):
    """A slow metric: ``(n, g)`` rows to ``(n,)`` values, each distinct subnet once.

    Attributes:
        progress: called with (done, to do) before each subnet and after the last.
    """

    progress: Callable[[int, int], None] | None

    @property
    def n_known(self) -> int:
        """Distinct subnets evaluated so far."""

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]: ...


class SlowMetric(ABC):
    """How a search evaluates each subnet.

    Attributes:
        evals: subnets to evaluate.
    """

    evals: int
    how: ClassVar[str]
    """What it does to subnets, for messages: ``"evaluated"``, ``"scored"``."""

    @property
    @abstractmethod
    def said(self) -> str:
        """What asks for it, for messages."""

    @abstractmethod
    def measures(self) -> Metric:
        """The metric."""

    @abstractmethod
    def space_and_column(self) -> tuple[SearchSpace | None, str]:
        """The space, if it has one of its own, and the column of the metric."""

    @abstractmethod
    def opened(self, space: SearchSpace, csv: Path) -> AbstractContextManager[SlowPredictor]:
        """Open the metric to search by, with a journal beside ``csv``."""

    def refuse_unused(self, used: Mapping[str, object]) -> None:
        """Refuse too few evaluations, and options that have no meaning if every subnet is evaluated.

        Args:
            used: values of options by name.

        Raises:
            DataError: there is one; the message names the first.
        """
        check_whole("evals", self.evals, 1)
        if self.evals < FEWEST:
            raise DataError(f"evals {self.evals}", f"at least {FEWEST} are needed", "raise it")
        for name, value in used.items():
            if value:
                rule = f"it has no meaning where subnets are {self.how}"
                raise DataError(f"{name} with {self.said}", rule, f"drop --{name}")

    def refuse_mixed(self, request: Request) -> None:
        """Refuse a request with files of metrics, which have no meaning if every subnet is evaluated.

        Raises:
            DataError: it names one; the message names the first.
        """
        self.refuse_unused({"library": request.library, "table": request.tables, "predictor": request.predictor})


class SlowPredictor(ABC):
    """Takes the place of a predictor: ``predict`` evaluates each distinct subnet once.

    Args:
        evaluator: evaluates rows.
        space: the space that is searched.
        conditions: what its values depend on, for the provenance.
        column: column of its values.
    """

    key: ClassVar[str]
    """Key of its facts in the provenance."""

    def __init__(self, evaluator: Tells, space: SearchSpace, conditions: dict[str, Any], column: str) -> None:
        self.evaluator = evaluator
        self.space = space
        self.conditions = conditions
        self.column = column
        self._seen: dict[bytes, NDArray[Any]] = {}

    @property
    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Facts for the provenance."""

    @property
    @abstractmethod
    def source(self) -> str:
        """The source of its values, in words."""

    def predict(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` values."""
        values = self.evaluator(x)
        self._seen.update({row.tobytes(): row for row in np.asarray(x)})
        return values

    def predict_std(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` NaN: not known."""
        return np.full(len(x), np.nan)

    def beside(self, x: NDArray[Any]) -> Mapping[str, NDArray[np.float64]]:  # noqa: ARG002 (subclasses use it)
        """``(n,)`` further columns beside those of :meth:`predict`."""
        return {}

    @property
    def rows(self) -> Population:
        """``(n, g)`` rows that this search has evaluated, in order."""
        return np.stack(list(self._seen.values()))

    def shown(
        self, advance: Progress, evals: int, pace: Callable[[int], str] | None = None
    ) -> Callable[[SearchProgress], None]:
        """Show evaluations on a progress bar.

        Args:
            advance: the bar.
            evals: evaluations in total.
            pace: describes the pace after a number of evaluations.

        Returns:
            A function to call with the progress of the search.
        """
        front = 0

        def report() -> None:
            known = min(self.evaluator.n_known, evals)
            advance(known, evals, f"subnets, {front} on the front" + (f", {pace(known)}" if pace is not None else ""))

        def advance_search(p: SearchProgress) -> None:
            nonlocal front
            front = p.front
            report()

        self.evaluator.progress = lambda _done, _total: report()
        return advance_search

    @abstractmethod
    def search(self, problem: Problem, settings: SearchSettings, evals: int, warm: Warm) -> SearchResult:
        """Search a problem with this ``predict`` as a metric, by ``evals`` evaluations."""
