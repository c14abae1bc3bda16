"""The batch of rows that a searcher's generator waits for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._pool import Pool
from hwnas.search.problem._seen import Values, at_rows, first_places
from hwnas.space import Population


class Batch:
    """The rows that a generator has yielded. Distinct unknown rows are handed out to be evaluated, and then told.

    Args:
        pool: the rows known so far.
        wanted: canonical rows, which may repeat and may be known.
        most: evaluations left.

    Attributes:
        x: the rows to evaluate.
        is_cut: whether there were more of them than evaluations left.
        is_abandoned: whether the generator no longer waits for the rows that are not told.
    """

    def __init__(self, pool: Pool, wanted: Population, most: int) -> None:
        self._pool = pool
        self._wanted = pool.keys(wanted)
        first = first_places(self._wanted)
        missing = first[pool.seen.find(self._wanted[first]) < 0]
        self.is_cut = len(missing) > most
        self.x: Population = wanted[missing[:most]]
        self._keys = self._wanted[missing[:most]]
        self._values: Values = {name: np.zeros(len(self.x)) for name in pool.problem.metrics}
        self._told = np.zeros(len(self.x), dtype=bool)
        self._handed_out = np.zeros(len(self.x), dtype=bool)
        self._others: list[tuple[Population, Values]] = []
        self.is_abandoned = False

    @property
    def is_complete(self) -> bool:
        """Whether all its rows are told."""
        return bool(self._told.all())

    @property
    def is_handed_out(self) -> bool:
        """Whether all its rows are handed out or told."""
        return bool((self._handed_out | self._told).all())

    @property
    def told(self) -> tuple[Population, Values]:
        """Rows told so far and their values; rows that were not asked for come last."""
        parts = [(self.x[self._told], at_rows(self._values, self._told)), *self._others]
        names = self._values
        return np.concatenate([x for x, _ in parts]), {n: np.concatenate([v[n] for _, v in parts]) for n in names}

    def hand_out(self, n: int) -> Population:
        """Up to n rows that were neither handed out nor told."""
        rows = np.flatnonzero(~self._handed_out & ~self._told)[:n]
        self._handed_out[rows] = True
        return self.x[rows]

    def take(self, x: Population, values: Values) -> int:
        """Take told rows in order until the batch is complete; returns how many it took."""
        if not self._told.any() and np.array_equal(x, self.x):
            self._told[:], self._values = True, values
            return len(x)
        keys = self._pool.keys(x)
        used, mine = len(x), np.zeros(len(x), dtype=bool)
        if len(self._keys):
            order = np.argsort(self._keys)
            place = order[np.minimum(np.searchsorted(self._keys, keys, sorter=order), len(order) - 1)]
            mine = self._keys[place] == keys
            news = np.flatnonzero(mine & ~self._told[place])
            news = news[first_places(place[news])]  # if a row is told twice, the first counts
            missing = int((~self._told).sum())
            if 0 < missing <= len(news):
                used = int(news[missing - 1]) + 1
            news = news[news < used]
            self._told[place[news]] = True
            for name, v in self._values.items():
                v[place[news]] = values[name][news]
        self._keep_others(x[:used], at_rows(values, slice(used)), keys[:used], mine[:used])
        return used

    def _keep_others(self, x: Population, values: Values, keys: NDArray[np.uint64], mine: NDArray[np.bool_]) -> None:
        """Keep rows that nobody asked for, the first of equal ones."""
        first = np.zeros(len(x), dtype=bool)
        first[first_places(keys)] = True
        new = first & ~mine & (self._pool.seen.find(keys) < 0)
        for others, _ in self._others:
            new &= ~np.isin(keys, self._pool.keys(others))
        if new.any():
            self._others.append((x[new], at_rows(values, new)))

    def finish(self) -> Values:
        """Move the told rows into the pool; returns the values of all wanted rows, in order, or {} if some are not told."""
        told = self._told
        self._pool.add(self.x[told], at_rows(self._values, told), self._keys[told])
        self._pool.asked += len(self.x)
        self._pool.pending = np.concatenate([self._pool.pending, self.x[~told]])
        for x, values in self._others:
            self._pool.add(x, values)
        return self._pool.seen.at(self._pool.seen.find(self._wanted)) if told.all() else {}
