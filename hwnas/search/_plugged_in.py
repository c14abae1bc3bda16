"""Searchers of other packages: whatever they raise becomes one line that names them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.plugin import one_line_errors
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchResult
from hwnas.search.problem._searcher import Maker, Searcher, SearchOptions
from hwnas.space import Population


class PluggedIn(Searcher):
    """A searcher of another package; its errors are SpaceErrors.

    Args:
        name: as it is registered.
        make: begins its searches.
        problem, options: see ``Maker``.

    Raises:
        SpaceError: the package's function fails, or begins no search.
    """

    def __init__(self, name: str, make: Maker, problem: Problem, options: SearchOptions) -> None:
        self.name = name
        with self._one_line_errors("making it"):
            self._searcher = make(problem, options)
        needed = ("ask", "tell", "front", "problem", "options")
        missing = [name for name in needed if not hasattr(self._searcher, name)]
        if missing:
            rule = f"its function returns {type(self._searcher).__name__}, which has no {missing[0]}"
            raise SpaceError(f"searcher {name!r}", rule, "return a hwnas.search.Stepwise or another Searcher")

    @property
    def problem(self) -> Problem:
        """See Searcher."""
        return self._searcher.problem

    @property
    def options(self) -> SearchOptions:
        """See Searcher."""
        return self._searcher.options

    def ask(self, n: int, /) -> Population:
        """See Searcher."""
        with self._one_line_errors("ask()"):
            return self._searcher.ask(n)

    def tell(self, x: NDArray[Any], values: Mapping[str, NDArray[Any]], /) -> None:
        """See Searcher."""
        with self._one_line_errors("tell()"):
            self._searcher.tell(x, values)

    def front(self) -> SearchResult:
        """See Searcher."""
        with self._one_line_errors("front()"):
            return self._searcher.front()

    def _one_line_errors(self, step: str) -> AbstractContextManager[None]:
        return one_line_errors(f"searcher {self.name!r}", step, SpaceError)
