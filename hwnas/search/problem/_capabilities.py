"""Optional capabilities of metrics. Searchers test for these protocols, not for classes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Factor, Population, SearchSpace


class HasMinimum(Protocol):
    """A metric on a given domain whose least value is known exactly."""

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """``(n,)`` values of ``(n, g)`` canonical rows."""

    def minimum(self) -> tuple[float, Population]:
        """The least value, and a ``(g,)`` row that attains it."""


class HasExtremes(HasMinimum, Protocol):
    """A metric whose largest value is known as well."""

    def maximum(self) -> tuple[float, Population]:
        """The largest value, and a ``(g,)`` row that attains it."""


@runtime_checkable
class Bounded(Protocol):
    """A metric whose least value can be computed, so that an infeasible budget is refused before the search."""

    def within(self, space: SearchSpace, /) -> HasMinimum:
        """The metric on the domain of a restricted space."""


@runtime_checkable
class FirstOrder(Protocol):
    """A metric with first-order effects: what a change of one gene adds to it. They guide local searches."""

    def effects(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """``(n, choices)`` for ``(n, g)`` rows; see ``AdditiveCost.effects``."""


@runtime_checkable
class Additive(FirstOrder, Bounded, Protocol):
    """A sum of factors over few genes each, so that exact fronts can be computed."""

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The terms."""

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """``(n,)`` values of ``(n, g)`` canonical rows."""

    def within(self, space: SearchSpace, /) -> HasExtremes:
        """The sum on the domain of a restricted space."""


@runtime_checkable
class Confining(Protocol):
    """A maximum over layers. A budget on it forbids every layer that exceeds the budget."""

    def at_most(self, upper: float, /) -> list[Factor]:
        """Factors that are 0 where a layer is within the budget, and NaN where it exceeds it."""
