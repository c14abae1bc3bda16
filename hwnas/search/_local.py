"""Local search along a whole front: the best changes of one gene, and of a few at once.

Pareto local search (Paquete et al. 2004), best first. Every round takes the most promising rows not
explored yet, spread along the front; scores all their one-gene neighbours; predicts combinations of
changes by adding them up, and scores those predicted to reach the front. Rows slightly behind the
front are explored too: the front of a rugged predictor has many local optima.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.search._combine import promising
from hwnas.search._operators import Moves
from hwnas.search._pool import Pool, RowKeys, Values
from hwnas.search._problem import Problem
from hwnas.space import Population

BINS = 20
"""Stretches of the front; a round explores one row of each."""

REACH = 0.06
"""How far behind the front a row may lie to be explored, as a share of the front's range."""

PATIENCE = 40
"""Rounds without any gain of hypervolume before it ends."""


def local_search(pool: Pool, near: tuple[Population, Values], evaluations: int, rng: np.random.Generator) -> None:
    """Improve the pool's front.

    Args:
        pool: holds the front; what is scored here is added to it.
        near: rows with their values, of which those near the front are explored as well.
        evaluations: end after about so many.
        rng: draws the genes that a change wakes.
    """
    if not len(pool.x):
        return
    problem = pool.problem
    moves = Moves.of(problem.space)
    candidates = _Candidates(problem)
    candidates.add(pool, pool.x, pool.values)
    candidates.add(pool, *near)
    end = pool.evaluations + evaluations
    best, idle = pool.hypervolume(), 0
    while pool.evaluations < end and idle < PATIENCE and len(moves.genes):
        x, values = candidates.take(pool)
        if not len(x):
            break
        for found in _explore(pool, moves, x, values, rng):
            candidates.add(pool, *found)
        volume = pool.hypervolume()
        best, idle = (volume, 0) if volume > best else (best, idle + 1)


class _Candidates:
    """Scored rows near the front that were not explored yet."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.x: Population = np.zeros((0, problem.space.n_genes), dtype=np.int16)
        self.values: Values = {name: np.zeros(0) for name in problem.metrics}
        self._keys = RowKeys(problem.space)
        self._explored = np.zeros(0, dtype=np.uint64)

    def add(self, pool: Pool, x: Population, values: Values) -> None:
        """Keep the feasible ones within reach of the front, some for each of its stretches."""
        kept = np.flatnonzero(self.problem.violation(values) <= 0)
        x = np.concatenate([self.x, x[kept]])
        values = {name: np.concatenate([self.values[name], values[name][kept]]) for name in values}
        keys = self._keys(x)
        first = np.unique(keys, return_index=True)[1]
        first = first[~np.isin(keys[first], self._explored)]
        gap = self._gap(pool, {name: v[first] for name, v in values.items()})
        near = gap <= REACH * _range(pool.costs)
        self._keep(x, values, first[near][np.argsort(gap[near], kind="stable")[: 100 * BINS]])

    def take(self, pool: Pool) -> tuple[Population, Values]:
        """The nearest to the front in each of its stretches; they count as explored."""
        if not len(self.x):
            return self.x, self.values
        gap = self._gap(pool, self.values)
        along = self.problem.costs(self.values)[:, -1]
        front = pool.costs[:, -1]
        edges = np.linspace(front.min(), front.max(), BINS + 1)[1:-1]
        stretch = np.searchsorted(edges, along)
        order = np.lexsort((gap, stretch))
        nth = np.arange(len(order)) - np.searchsorted(stretch[order], stretch[order])
        each = max(1, BINS // len(np.unique(stretch)))
        taken = order[nth < each]
        x, values = self.x[taken], {name: v[taken] for name, v in self.values.items()}
        self._explored = np.concatenate([self._explored, self._keys(x)])
        left = np.ones(len(self.x), dtype=bool)
        left[taken] = False
        self._keep(self.x, self.values, np.flatnonzero(left))
        return x, values

    def _gap(self, pool: Pool, values: Values) -> NDArray[np.float64]:
        return pool.behind(self.problem.costs(values))

    def _keep(self, x: Population, values: Values, rows: NDArray[np.intp]) -> None:
        self.x, self.values = x[rows], {name: v[rows] for name, v in values.items()}


def _range(costs: NDArray[np.float64]) -> float:
    return float(np.ptp(costs[:, 0]))


def _explore(
    pool: Pool, moves: Moves, x: Population, values: Values, rng: np.random.Generator
) -> list[tuple[Population, Values]]:
    """Score the one-gene neighbours of ``(r, g)`` rows, then promising combinations of changes; all go to the pool."""
    neighbours, changed = moves.apply(x, rng)
    row, move = np.nonzero(changed)
    ones = pool.problem.evaluate(neighbours[row, move])
    pool.add(neighbours[row, move], ones, remember=False)
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
    several = pool.distinct(np.concatenate(joined)) if joined else x[:0]
    scores = pool.problem.evaluate(several)
    pool.add(several, scores, remember=False)
    return [(neighbours[row, move], ones), (several, scores)]
