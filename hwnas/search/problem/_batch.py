"""What a generator of rows waits for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._pool import Pool
from hwnas.search.problem._seen import Values
from hwnas.space import Population


class Batch:
    """The rows that a generator has yielded: the distinct ones among them are handed out, and then told.

    Args:
        pool: what is known already.
        wanted: canonical rows.
        most: evaluations left.

    Attributes:
        is_left: whether nobody waits for its untold rows any more.
    """

    def __init__(self, pool: Pool, wanted: Population, most: int) -> None:
        self._pool = pool
        self._wanted = pool.keys(wanted)
        _, first = np.unique(self._wanted, return_index=True)
        first.sort()
        missing = first[pool.seen.find(self._wanted[first]) < 0]
        self.is_cut = len(missing) > most
        self.x: Population = wanted[missing[:most]]
        self._keys = self._wanted[missing[:most]]
        self._values: Values = {name: np.zeros(len(self.x)) for name in pool.problem.metrics}
        self._told = np.zeros(len(self.x), dtype=bool)
        self._handed_out = np.zeros(len(self.x), dtype=bool)
        self._others: list[tuple[Population, Values]] = []
        self.is_left = False

    @property
    def is_complete(self) -> bool:
        """Whether all of its rows are told."""
        return bool(self._told.all())

    @property
    def is_handed_out(self) -> bool:
        """Whether none of its rows waits to be asked for."""
        return bool((self._handed_out | self._told).all())

    @property
    def told(self) -> tuple[Population, Values]:
        """Rows told so far, those that were not asked for last."""
        parts = [(self.x[self._told], {name: v[self._told] for name, v in self._values.items()}), *self._others]
        names = self._values
        return np.concatenate([x for x, _ in parts]), {n: np.concatenate([v[n] for _, v in parts]) for n in names}

    def hand_out(self, n: int) -> Population:
        """Up to n rows that were neither handed out nor told."""
        rows = np.flatnonzero(~self._handed_out & ~self._told)[:n]
        self._handed_out[rows] = True
        return self.x[rows]

    def take(self, x: Population, values: Values) -> int:
        """Take rows in order until the batch is complete; returns how many that were."""
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
            news = news[np.sort(np.unique(place[news], return_index=True)[1])]  # the first telling of a row counts
            missing = int((~self._told).sum())
            if 0 < missing <= len(news):
                used = int(news[missing - 1]) + 1
            news = news[news < used]
            self._told[place[news]] = True
            for name, v in self._values.items():
                v[place[news]] = values[name][news]
        self._keep_others(x[:used], {name: v[:used] for name, v in values.items()}, keys[:used], mine[:used])
        return used

    def _keep_others(self, x: Population, values: Values, keys: NDArray[np.uint64], mine: NDArray[np.bool_]) -> None:
        """Keep rows that nobody asked for; of equal ones the first."""
        first = np.zeros(len(x), dtype=bool)
        first[np.unique(keys, return_index=True)[1]] = True
        new = first & ~mine & (self._pool.seen.find(keys) < 0)
        for others, _ in self._others:
            new &= ~np.isin(keys, self._pool.keys(others))
        if new.any():
            self._others.append((x[new], {name: v[new] for name, v in values.items()}))

    def finish(self) -> Values:
        """Put all that was told into the pool; returns the values of the rows wanted, in their order, if all are told."""
        told = self._told
        self._pool.add(self.x[told], {name: v[told] for name, v in self._values.items()}, self._keys[told])
        self._pool.asked += len(self.x)
        self._pool.pending = np.concatenate([self._pool.pending, self.x[~told]])
        for x, values in self._others:
            self._pool.add(x, values)
        return self._pool.seen.at(self._pool.seen.find(self._wanted)) if told.all() else {}
