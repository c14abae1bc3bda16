"""Searches that evaluate subnets one by one, by a measurement or a score, instead of predicting them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.quantity import check_whole

if TYPE_CHECKING:
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


class AskedPredictor(ABC):
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


def idle_files(request: Request) -> Mapping[str, object]:
    """Options that name files of metrics. They have no meaning if every subnet is evaluated."""
    return {"library": request.library, "table": request.tables, "predictor": request.predictor}


def refuse_unused(asked_by: str, how: str, evals: int, used: Mapping[str, object]) -> None:
    """Refuse too few evaluations, and options that have no meaning if every subnet is evaluated.

    Args:
        asked_by: the option that asks for evaluations, for the message.
        how: ``"evaluated"`` or ``"scored"``.
        evals: number of evaluations.
        used: values of options by name.

    Raises:
        DataError: there is one; the message names the first.
    """
    check_whole("evals", evals, 1)
    if evals < FEWEST:
        raise DataError(f"evals {evals}", f"at least {FEWEST} are needed", "raise it")
    for name, value in used.items():
        if value:
            rule = f"it has no meaning where subnets are {how}"
            raise DataError(f"{name} with {asked_by}", rule, f"drop --{name}")
