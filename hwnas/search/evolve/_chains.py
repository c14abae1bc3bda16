"""Iterated local search along a whole front, led by first-order models (Lourenco, Martin and Stuetzle 2003).

Each chain minimises its own weighted sum of the costs, so that together the chains cover the front. A step ranks all
changes of one gene by the models' first-order effects, and scores only the few best, alone and together: a predictor's
effects cost as much as three predictions, and rank a hundred neighbours. Every few steps a kick makes several changes
at once, drawn from those that seem to cost little (by Gumbel's trick, as in Grathwohl et al. 2021, "Oops I Took A
Gradient"). The result is kept if it is better, and early on also if it is a little worse (annealing, Kirkpatrick et
al. 1983), so that chains do not all end in the same few optima. The pool keeps the best rows. Rugged predictors have
far more local optima than a population has members, but good optima lie near each other.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search.evolve._weights import front_weights
from hwnas.search.problem._capabilities import FirstOrder
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._seen import Values, at_rows
from hwnas.search.problem._stepwise import Steps
from hwnas.space import Population

CHAINS = 240
"""Chains along the front."""

STEPS = 5
"""Steps of a chain between two kicks."""

KICK = 6
"""Genes changed by a kick."""

HEAT = 0.01
"""Scale of the noise that a kick adds to expected costs before it takes the best changes, in ranges of the front."""

TEMPERATURE = 0.02
"""Initial temperature of the annealing, in ranges of the front; it falls to 0."""

TOGETHER = 4
"""Most genes changed in one step."""

PENALTY = 30.0
"""Cost of exceeding a budget by 100 %, in ranges of the front."""

_USED = np.concatenate([np.tri(TOGETHER, dtype=bool), np.eye(TOGETHER, dtype=bool)[1:]])
"""``(trials, TOGETHER)``: which of a row's best changes each trial makes: the best few together, or one alone."""


def has_models(problem: Problem) -> bool:
    """Whether every objective has first-order effects. Budgets need none."""
    models = problem.offering(FirstOrder)
    return all(o.name in models for o in problem.objectives)


def search_along(
    pool: Pool, x: Population, proposals: int, rng: np.random.Generator
) -> Generator[Population, Values, tuple[Population, Values]]:
    """Improve the pool's front.

    Args:
        pool: holds at least one feasible row.
        x: canonical rows at which the chains start, sorted by the last cost.
        proposals: about how many rows to try. Rows scored before count too, as proposing them takes as long.
        rng: source of all random numbers.

    Returns:
        The rows at which the chains end, and their values.
    """
    chains = _Chains(pool, x, (yield x))
    rounds = max(1, proposals // (len(x) * (1 + STEPS * len(_USED))))
    for i in range(rounds):
        weights = front_weights(pool, len(x))
        tried = yield from chains.kicked(weights, rng)
        for _ in range(STEPS):
            yield from tried.step(weights, rng)
        chains.take_over(tried, weights, TEMPERATURE * (1 - i / rounds) * rng.exponential(size=len(x)))
    return chains.x, chains.values


@dataclass
class _Chains:
    """``(n, g)`` rows and their values; each row is improved under its own weights."""

    pool: Pool
    x: Population
    values: Values

    def cost(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n,)`` costs of the rows, each under its own ``(n, m)`` weights."""
        return _weighted(self.pool.problem, self.values, weights)

    def take_over(self, other: _Chains, weights: NDArray[np.float64], slack: NDArray[np.float64] | float = 0.0) -> None:
        """Take over rows of the other chains that are better, or worse by less than ``(n,)`` ``slack``."""
        better = other.cost(weights) < self.cost(weights) + slack
        self.x = np.where(better[:, None], other.x, self.x)
        self.values = {name: np.where(better, other.values[name], v) for name, v in self.values.items()}

    def kicked(self, weights: NDArray[np.float64], rng: np.random.Generator) -> Generator[Population, Values, _Chains]:
        """New chains, after ``KICK`` changes of each row."""
        space = self.pool.problem.space
        x = space.completed(self.x, rng)
        noise = HEAT * rng.gumbel(size=(len(x), space.starts[-1]))
        genes, choices, gains = _best_changes(self, x, weights, KICK, noise)
        possible = np.isfinite(gains)
        np.put_along_axis(x, genes, np.where(possible, choices, np.take_along_axis(x, genes, axis=1)), axis=1)
        x = space.canonical(x)
        return _Chains(self.pool, x, (yield x))

    def step(self, weights: NDArray[np.float64], rng: np.random.Generator) -> Steps:
        """Score the most promising changes of each row, and move to the best one if it is better."""
        space = self.pool.problem.space
        complete = space.completed(self.x, rng)
        trials = _trials(complete, *_best_changes(self, complete, weights, TOGETHER))
        n, k, g = trials.shape
        rows = space.canonical(trials.reshape(n * k, g))
        values = yield rows
        costs = _weighted(self.pool.problem, values, np.repeat(weights, k, axis=0)).reshape(n, k)
        best = np.arange(n) * k + costs.argmin(axis=1)
        self.take_over(_Chains(self.pool, rows[best], at_rows(values, best)), weights)


def _best_changes(
    chains: _Chains,
    x: Population,
    weights: NDArray[np.float64],
    k: int,
    noise: NDArray[np.float64] | float = 0.0,
) -> tuple[NDArray[np.intp], NDArray[np.int16], NDArray[np.float64]]:
    """The most promising changes of each row, of k different genes. Genes without effect must hold allowed choices.

    Returns:
        ``(n, k)`` genes, their new choices, and the expected change of the weighted cost, least first; inf where there
        is no other choice. k is at most the number of genes.
    """
    problem, space = chains.pool.problem, chains.pool.problem.space
    gains = _expected(problem, x, chains.values, weights) - noise
    starts, rows = space.starts, np.arange(len(x))[:, None]
    gains[rows, starts[:-1] + x] = np.inf
    gains[:, ~space.allowed] = np.inf
    best = np.where(space.active(x), np.minimum.reduceat(gains, starts[:-1], axis=1), np.inf)
    genes = np.argsort(best, axis=1, kind="stable")[:, :k]
    sizes = np.diff(starts)
    place = np.arange(sizes.max())
    columns = starts[genes][..., None] + np.minimum(place, sizes[genes][..., None] - 1)
    choices = gains[rows[..., None], columns].argmin(axis=2).astype(np.int16)
    return genes, choices, np.take_along_axis(best, genes, axis=1)


def _trials(
    x: Population, genes: NDArray[np.intp], choices: NDArray[np.int16], gains: NDArray[np.float64]
) -> NDArray[np.int16]:
    """``(n, k, g)``: the trials of each row. Beyond the best change, only changes that are expected to help are made."""
    trials = np.repeat(x[:, None], len(_USED), axis=1)
    for i, used in enumerate(_USED.T[: genes.shape[1]]):
        made = np.flatnonzero(gains[:, i] < (0 if i else np.inf))
        for trial in np.flatnonzero(used):
            trials[made, trial, genes[made, i]] = choices[made, i]
    return trials


def _expected(problem: Problem, x: Population, values: Values, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, choices)``: how much each change is expected to add to the weighted cost."""
    effects = {name: fn.effects(x) for name, fn in problem.offering(FirstOrder).items()}
    total = np.zeros((len(x), problem.space.starts[-1]))
    for o, w in zip(problem.objectives, weights.T, strict=True):
        total += o.cost(w)[:, None] * effects[o.name]
    for c in problem.constraints:
        if c.name in effects:
            now = values[c.name][:, None]
            total += PENALTY * (c.excess(now + effects[c.name]) - c.excess(now))
    return np.where(np.isnan(total), np.inf, total)


def _weighted(problem: Problem, values: Values, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n,)``: each row's cost under its own ``(n, m)`` weights, plus the penalty of broken budgets."""
    cost: NDArray[np.float64] = (problem.costs(values) * weights).sum(axis=1) + PENALTY * problem.violation(values)
    return cost
