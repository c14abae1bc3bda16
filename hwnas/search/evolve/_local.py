"""Local search along a whole front: changes of one gene, and combinations of a few.

Pareto local search (Paquete et al. 2004), best first. Every round explores the most promising rows, spread
along the front. It scores all their one-gene neighbours, predicts combinations of changes by adding them up, and
scores the combinations that are predicted to reach the front. Rows slightly behind the front are explored too,
because the front of a rugged predictor has many local optima.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from hwnas.search.evolve._combine import promising
from hwnas.search.evolve._operators import Moves
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._seen import Values, at_rows
from hwnas.search.problem._stepwise import Steps
from hwnas.space import Population

BINS = 20
"""Stretches of the front; a round explores one row of each."""

KEPT = 200
"""Most rows of each stretch that wait to be explored."""

REACH = 0.06
"""How far behind the front an explored row may lie, as a share of the front's range."""

PATIENCE = 40
"""Rounds without any gain of hypervolume before the search ends."""


def local_search(
    pool: Pool, near: list[tuple[Population, Values]], evaluations: int, rng: np.random.Generator
) -> Steps:
    """Improve the pool's front until no row is left to explore, or ``PATIENCE`` rounds gained nothing.

    Args:
        pool: holds the front.
        near: more rows with their values; those near the front are explored as well.
        evaluations: about how many rows to score.
        rng: draws genes that gain an effect by a change.
    """
    moves = Moves.of(pool.problem.space)
    if not len(pool.x) or not len(moves.genes):
        return
    candidates = _Candidates(pool)
    candidates.add([(pool.x, pool.values), *near])
    end = pool.asked + evaluations
    best, idle = pool.hypervolume(), 0
    while pool.asked < end and idle < PATIENCE:
        x, values = candidates.take()
        if not len(x):
            break
        candidates.add((yield from _explore(pool, moves, x, values, rng)))
        volume = pool.hypervolume()
        best, idle = (volume, 0) if volume > best else (best, idle + 1)


class _Candidates:
    """Scored rows near the front that are not explored yet, some for each stretch of the front."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.problem = pool.problem
        self.x: Population = pool.x[:0]
        self.values: Values = at_rows(pool.values, slice(0))
        self._explored = np.zeros(0, dtype=np.uint64)

    def add(self, scored: list[tuple[Population, Values]]) -> None:
        """Add rows that are feasible and within reach of the front."""
        x = np.concatenate([self.x, *(rows for rows, _ in scored)])
        values = {name: np.concatenate([v, *(more[name] for _, more in scored)]) for name, v in self.values.items()}
        costs = self.problem.costs(values)
        gap = self.pool.behind(costs)
        kept = np.flatnonzero(
            (gap <= REACH * float(np.ptp(self.pool.costs[:, 0]))) & (self.problem.violation(values) <= 0)
        )
        keys = self.pool.keys(x[kept])
        first = np.unique(keys, return_index=True)[1]
        kept = kept[first[~np.isin(keys[first], self._explored)]]
        order, _, place = self._ordered(costs[kept], gap[kept])
        self._keep(x, values, kept[order[place < KEPT]])

    def take(self) -> tuple[Population, Values]:
        """Remove and return the row nearest to the front in each stretch."""
        costs = self.problem.costs(self.values)
        order, stretches, place = self._ordered(costs, self.pool.behind(costs))
        taken = order[place < max(1, BINS // max(stretches, 1))]
        x, values = self.x[taken], at_rows(self.values, taken)
        self._explored = np.concatenate([self._explored, self.pool.keys(x)])
        left = np.ones(len(self.x), dtype=bool)
        left[taken] = False
        self._keep(self.x, self.values, np.flatnonzero(left))
        return x, values

    def _ordered(
        self, costs: NDArray[np.float64], gap: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], int, NDArray[np.intp]]:
        """Rows by stretch, then by gap; the number of stretches that have any; and each row's place in its stretch."""
        front = self.pool.costs[:, -1]
        edges = np.linspace(front.min(), front.max(), BINS + 1)[1:-1]
        stretch = np.searchsorted(edges, costs[:, -1])
        order = np.lexsort((gap, stretch))
        place = np.arange(len(order)) - np.searchsorted(stretch[order], stretch[order])
        return order, len(np.unique(stretch)), place

    def _keep(self, x: Population, values: Values, rows: NDArray[np.intp]) -> None:
        self.x, self.values = x[rows], at_rows(values, rows)


def _explore(
    pool: Pool, moves: Moves, x: Population, values: Values, rng: np.random.Generator
) -> Generator[Population, Values, list[tuple[Population, Values]]]:
    """Score the one-gene neighbours of ``(r, g)`` rows, then promising combinations of changes; returns all of them."""
    neighbours, changed = moves.apply(x, rng)
    row, move = np.nonzero(changed)
    ones = yield neighbours[row, move]
    delta = {name: np.full(changed.shape, np.nan) for name in ones}
    for name, scored in ones.items():
        delta[name][changed] = scored
        delta[name] -= values[name][:, None]
    joined = []
    for chosen in promising(pool, moves, values, delta):
        y = neighbours[chosen.rows, chosen.moves[:, 0]]
        for other in chosen.moves.T[1:]:
            y = moves.join(x[chosen.rows], y, neighbours[chosen.rows, other], other)
        joined.append(y)
    several = np.concatenate(joined) if joined else x[:0]
    return [(neighbours[row, move], ones), (several, (yield several))]
