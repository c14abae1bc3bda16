"""Lookup: a metric with a table of all its values (a tabular benchmark)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.search.problem._seen import RowKeys
from hwnas.space import SearchSpace


class Lookup:
    """A metric that looks values up by row: ``(n, g)`` rows to ``(n,)`` values.

    Args:
        space: the space of the rows.
        x: ``(n, g)`` rows; of equal rows, the last one counts.
        values: ``(n,)`` their values.
        name: name of the metric, for messages.
    """

    def __init__(self, space: SearchSpace, x: NDArray[Any], values: NDArray[np.float64], name: str) -> None:
        self.space = space
        self.name = name
        self._keys_of = RowKeys(space)
        keys = self._keys_of(space.canonical(x))
        order = np.argsort(keys, kind="stable")
        self._keys, self._values = keys[order], np.asarray(values, dtype=np.float64)[order]

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """The values of rows.

        Raises:
            DataError: a row is not in the table.
        """
        x = self.space.canonical(np.asarray(x))
        keys = self._keys_of(x)
        at = np.searchsorted(self._keys, keys, side="right") - 1
        missing = (at < 0) | (self._keys[np.maximum(at, 0)] != keys)
        if missing.any():
            arch = self.space.decode(x[int(missing.argmax())])
            raise DataError(f"{self.name} of {arch}", "the table has no row for it", "complete the table")
        return self._values[at]
