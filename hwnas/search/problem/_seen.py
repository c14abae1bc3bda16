"""Scored rows and their values, with look-up by row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Population, SearchSpace

Values = dict[str, NDArray[np.float64]]
"""``(n,)`` values of n rows, by metric."""


def at_rows(values: Values, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Values:
    """The values of some of the rows."""
    return {name: v[rows] for name, v in values.items()}


class RowKeys:
    """64-bit hash keys of rows (Zobrist 1970): the wrapped sum of one random number per gene and choice.

    Two of a million rows collide with probability 3e-8; the searcher would then skip one subnet.
    """

    def __init__(self, space: SearchSpace) -> None:
        *self._starts, n_choices = space.starts
        self._numbers = np.random.default_rng(0).integers(0, 2**64, size=n_choices, dtype=np.uint64)

    def __call__(self, x: NDArray[Any]) -> NDArray[np.uint64]:
        """``(n,)`` keys of ``(n, g)`` canonical rows."""
        total = np.zeros(len(x), dtype=np.uint64)
        for column, start in enumerate(self._starts):
            total += self._numbers[start + x[:, column]]
        return total


def first_places(keys: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """Positions of the first occurrence of each distinct key, in ascending order."""
    return np.sort(np.unique(keys, return_index=True)[1])


class Seen:
    """Rows and their values in order of arrival; arrays grow by doubling."""

    def __init__(self, space: SearchSpace, metrics: Iterable[str]) -> None:
        self._size = 0
        self._x: Population = np.zeros((64, space.n_genes), dtype=np.int16)
        self._values: Values = {name: np.zeros(64) for name in metrics}
        self._keys = np.zeros(0, dtype=np.uint64)
        self._places = np.zeros(0, dtype=np.intp)

    def __len__(self) -> int:
        return self._size

    @property
    def x(self) -> Population:
        """``(n, g)`` rows."""
        return self._x[: self._size]

    @property
    def values(self) -> Values:
        """``(n,)`` values of every metric."""
        return at_rows(self._values, slice(self._size))

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.intp]:
        """``(n,)`` places of the rows with these keys; -1 for rows that are not here."""
        if not self._size:
            return np.full(len(keys), -1, dtype=np.intp)
        at = np.minimum(np.searchsorted(self._keys, keys), self._size - 1)
        return np.where(self._keys[at] == keys, self._places[at], -1)

    def at(self, places: NDArray[np.intp]) -> Values:
        """Values of the rows at some places."""
        return at_rows(self._values, places)

    def revise(self, values: Values) -> None:
        """Replace the values of some metrics, ``(n,)`` each, of all rows."""
        for name, v in values.items():
            self._values[name][: self._size] = v

    def add(self, keys: NDArray[np.uint64], x: Population, values: Values) -> None:
        """Append distinct rows that are not here yet."""
        start, self._size = self._size, self._size + len(x)
        if self._size > len(self._x):
            room = max(self._size, 2 * len(self._x))
            self._x = np.resize(self._x, (room, self._x.shape[1]))
            self._values = {name: np.resize(v, room) for name, v in self._values.items()}
        self._x[start : self._size] = x
        for name, v in self._values.items():
            v[start : self._size] = values[name]
        order = np.argsort(keys)
        at = np.searchsorted(self._keys, keys[order])
        self._keys = np.insert(self._keys, at, keys[order])
        self._places = np.insert(self._places, at, start + order)
