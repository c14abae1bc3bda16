"""LINAS: search with few slow evaluations (Cummings et al. 2022, "A Hardware-Aware Framework for
Accelerating Neural Architecture Search Across Modalities", arXiv:2205.10358).

Evaluate a first set of subnets; then repeat: fit a predictor to all that was evaluated, run NSGA-II on
it, pick the subnets worth evaluating, evaluate them. Ours starts from subnets of all sizes, and picks a
batch by expected hypervolume improvement under the predictor's uncertainty; ``tactic="published"`` starts
at random and evaluates NSGA-II's final population, as DyNAS-T does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.search.evolve._nsga2 import NSGA2
from hwnas.search.expensive._acquisition import ExpectedImprovement, chance_below, choose_batch
from hwnas.search.expensive._start import stratified_start
from hwnas.search.problem._pareto import behind
from hwnas.search.problem._pool import Pool, Values
from hwnas.search.problem._problem import Metric, Problem
from hwnas.search.problem._result import Progress, SearchResult
from hwnas.space import Population

Vector = NDArray[np.float64]

INNER_POPULATION = 200
INNER_GENERATIONS = 30
CANDIDATES = 2000
"""Rows nearest to the predicted front whose gain is computed."""

PUBLISHED_INNER_EVALUATIONS = 20_000


class Surrogate(Protocol):
    """A fitted predictor: what :mod:`hwnas.predictor` offers."""

    def predict(self, x: NDArray[Any]) -> Vector:
        """``(n,)`` predictions for ``(n, g)`` canonical rows."""

    def predict_std(self, x: NDArray[Any]) -> Vector:
        """``(n,)`` their standard deviations."""


Fit = Callable[[Population, Vector], Surrogate]
"""``(n, g)`` canonical rows and ``(n,)`` values to a predictor; eight or more rows."""


@dataclass(frozen=True)
class LinasOptions:
    """How to spend the evaluations.

    Attributes:
        evaluations: distinct subnets to evaluate, in all.
        start: of these, before the first fit.
        batch: of these, between two fits.
        seed: of all random numbers; equal seeds and equal values give equal results.
        seeds: ``(k, g)`` rows to evaluate first.
        tactic: ``"ours"`` or ``"published"``.
        progress: called after every batch.
    """

    evaluations: int = 150
    start: int = 20
    batch: int = 10
    seed: int = 0
    seeds: NDArray[Any] | None = None
    tactic: Literal["ours", "published"] = "ours"
    progress: Callable[[Progress], None] | None = None


def linas(problem: Problem, slow: Collection[str], fit: Fit, options: LinasOptions | None = None) -> SearchResult:
    """Find a front with few evaluations of the slow metrics.

    A metric is called with whole batches; one that journals what it has evaluated (see
    ``Journaled``) makes the search resumable: run again, it takes the same way.

    Args:
        problem: its slow metrics are evaluated for ``options.evaluations`` rows and no more.
        slow: their names; all others are cheap and exact.
        fit: makes the predictor of a slow metric.
        options: see LinasOptions.

    Raises:
        SpaceError: a slow metric that the problem does not have, or options that make no sense.
        InfeasibleError: a budget that no subnet meets, or none that was evaluated.
    """
    options = options or LinasOptions()
    _check(problem, slow, options)
    problem.refuse_infeasible()
    pool = Pool(problem)
    seen = _Seen(pool)
    rng = np.random.default_rng([options.seed, 0])
    seen.evaluate(_start(problem, slow, options, rng)[: options.evaluations])
    ahead = max(options.evaluations - len(seen.x), 0)
    rounds = 1 + -(-ahead // options.batch)
    pool.record(1, rounds, options.progress)
    near = seen.x
    for step in range(2, rounds + 1):
        # A stream of its own for every round: a resumed search draws as the first one did.
        rng = np.random.default_rng([options.seed, step])
        models = {name: fit(seen.x, seen.values[name]) for name in slow}
        size = min(options.batch, options.evaluations - len(seen.x))
        if options.tactic == "published":
            batch = _final_population(seen, models, size, rng)
        else:
            batch, near = _most_promising(seen, models, near, size, rng)
        if not len(batch):
            break
        seen.evaluate(batch)
        pool.record(step, rounds, options.progress)
    return pool.result("linas", options.seed)


class _Seen:
    """What was evaluated, and the pool that holds its front."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.problem = pool.problem
        self.x: Population = pool.x
        self.values: Values = dict(pool.values)

    def evaluate(self, x: Population) -> None:
        values = self.pool.score(x)
        self.x = np.concatenate([self.x, x])
        self.values = {name: np.concatenate([self.values[name], v]) for name, v in values.items()}


def _check(problem: Problem, slow: Collection[str], options: LinasOptions) -> None:
    unknown = [name for name in slow if name not in problem.metrics]
    if unknown or not slow:
        rule = f"the problem has {', '.join(problem.metrics)}"
        raise SpaceError(f"slow metric {unknown[0]!r}" if unknown else "no slow metric", rule, "name one of them")
    for name, least in (("evaluations", 1), ("start", 1), ("batch", 1)):
        if getattr(options, name) < least:
            raise SpaceError(f"{name} {getattr(options, name)}", f"at least {least} is needed", "raise it")


def _start(problem: Problem, slow: Collection[str], options: LinasOptions, rng: np.random.Generator) -> Population:
    given = np.zeros((0, problem.space.n_genes), dtype=np.int16) if options.seeds is None else options.seeds
    size = max(options.start - len(given), 0)
    if options.tactic == "published":
        others = problem.space.sample(size, rng, distinct_uniform=False)
    else:
        others = stratified_start(problem, slow, size, rng)
    return Pool(problem).fresh(np.concatenate([given, others]))


def _predicted(problem: Problem, models: Mapping[str, Surrogate]) -> Problem:
    """The problem with predictions in place of its slow metrics."""
    metrics: dict[str, Metric] = {name: model.predict for name, model in models.items()}
    return Problem(
        problem.space,
        [replace(o, fn=metrics.get(o.name, o.fn)) for o in problem.objectives],
        [replace(c, fn=metrics.get(c.name, c.fn)) for c in problem.constraints],
    )


def _final_population(seen: _Seen, models: Mapping[str, Surrogate], size: int, rng: np.random.Generator) -> Population:
    algorithm = NSGA2(_predicted(seen.problem, models), size, rng)
    for _ in range(max(PUBLISHED_INNER_EVALUATIONS // size, 1)):
        x = algorithm.ask()
        algorithm.tell(x, algorithm.problem.evaluate(x))
    return seen.pool.fresh(algorithm.x)


def _most_promising(
    seen: _Seen, models: Mapping[str, Surrogate], near: Population, size: int, rng: np.random.Generator
) -> tuple[Population, Population]:
    """The next batch, and the rows near the predicted front, from which the next round starts."""
    problem = _predicted(seen.problem, models)
    scored = Pool(problem)
    algorithm = NSGA2(problem, INNER_POPULATION, rng, np.concatenate([near, seen.pool.x]))
    rows: list[Population] = []
    values: list[Values] = []
    for _ in range(INNER_GENERATIONS):
        rows.append(scored.fresh(algorithm.ask()))
        values.append(scored.score(rows[-1]))
        algorithm.tell(rows[-1], values[-1])
    if not len(scored.x):  # no row is predicted to meet the budgets: try those that miss them by least
        return seen.pool.fresh(algorithm.x)[:size], algorithm.x
    x = np.concatenate(rows)
    costs = problem.costs({name: np.concatenate([v[name] for v in values]) for name in problem.metrics})
    candidates = seen.pool.fresh(x[np.argsort(behind(costs, scored.costs), kind="stable")[:CANDIDATES]])
    return candidates[_batch(seen, problem, models, candidates, size)], scored.x


def _batch(
    seen: _Seen, problem: Problem, models: Mapping[str, Surrogate], x: Population, size: int
) -> NDArray[np.intp]:
    """Which of the candidates to evaluate."""
    if not len(x):
        return np.zeros(0, dtype=np.intp)
    predicted = problem.evaluate(x)
    deviation = {name: model.predict_std(x) for name, model in models.items()}
    known = np.zeros(len(x))
    mean = problem.costs(predicted)
    std = np.stack([deviation.get(o.name, known) for o in problem.objectives], axis=1)
    weight = np.ones(len(x))
    for c in problem.constraints:
        spread = deviation.get(c.name, known)
        if c.upper < math.inf:
            weight *= chance_below(np.array(c.upper), predicted[c.name], spread)
        if c.lower > -math.inf:
            weight *= chance_below(np.array(-c.lower), -predicted[c.name], spread)
    costs = seen.problem.costs(seen.values)
    worst, best = costs.max(axis=0), np.minimum(costs.min(axis=0), (mean - 2 * std).min(axis=0))
    gain = ExpectedImprovement(worst + 0.1 * (worst - best) + 1e-12, best, seen.pool.costs)
    return choose_batch(gain, mean, std, weight, size)
