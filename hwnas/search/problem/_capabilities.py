"""What a metric may offer beside its values. Searchers ask for these, not for classes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Factor, Population, SearchSpace


class HasMinimum(Protocol):
    """A metric on a given domain, whose least value is known exactly."""

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """``(n,)`` values of ``(n, g)`` canonical rows."""

    def minimum(self) -> tuple[float, Population]:
        """The least value, and a ``(g,)`` row that has it."""


class HasExtremes(HasMinimum, Protocol):
    """The largest value is known too."""

    def maximum(self) -> tuple[float, Population]:
        """The largest value, and a ``(g,)`` row that has it."""


@runtime_checkable
class Bounded(Protocol):
    """A metric whose least value can be computed, so that a budget that nobody can meet is refused before the
    search."""

    def within(self, space: SearchSpace, /) -> HasMinimum:
        """The metric on the domain of a restricted space."""


@runtime_checkable
class FirstOrder(Protocol):
    """A metric that predicts, to first order, what changing one gene adds to it; local searches are guided by that."""

    def effects(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """``(n, choices)`` for ``(n, g)`` rows; see ``AdditiveCost.effects``."""


@runtime_checkable
class Additive(FirstOrder, Bounded, Protocol):
    """A sum of factors over few genes each. Exact fronts exist."""

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The terms."""

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """``(n,)`` values of ``(n, g)`` canonical rows."""

    def within(self, space: SearchSpace, /) -> HasExtremes:
        """The sum on the domain of a restricted space."""


@runtime_checkable
class Confining(Protocol):
    """The largest of terms over layers: a budget on it is kept by leaving out the layers above it."""

    def at_most(self, upper: float, /) -> list[Factor]:
        """Factors that are 0 where the terms are within the budget, and NaN elsewhere."""
