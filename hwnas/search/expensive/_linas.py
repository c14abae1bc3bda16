"""LINAS: search with few slow evaluations (Cummings et al. 2022, "A Hardware-Aware Framework for
Accelerating Neural Architecture Search Across Modalities", arXiv:2205.10358).

Evaluate a first set of subnets. Then repeat: fit a predictor to all evaluated subnets, run NSGA-II on the
predictions, evaluate the most promising subnets. Ours starts from subnets of all sizes and picks a batch by
expected hypervolume improvement under the predictor's uncertainty. ``tactic="published"`` starts at random and
evaluates NSGA-II's final population, as DyNAS-T does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.search.expensive._acquisition import (
    ExpectedImprovement,
    Gain,
    IndependentGain,
    JointGain,
    chance_below,
    choose_batch,
)
from hwnas.search.expensive._fit import gaussian_process
from hwnas.search.expensive._start import stratified_start
from hwnas.search.problem._pareto import behind, reference_beyond
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import MetricFunction, Problem
from hwnas.search.problem._searcher import SearchOptions, Surrogate
from hwnas.search.problem._stepwise import Steps, Stepwise
from hwnas.space import Population

if TYPE_CHECKING:
    from hwnas.search.evolve._pymoo import Evolution

START = 20
"""Evaluations before the first fit."""

FEWEST_FITTED = 8
"""Least number of values for a fit. A search with fewer subnets within its budgets evaluates them all."""

FEWEST_TOLD = 10
"""Values known before the first fit of an asynchronous search, which does not wait for the rest of its start."""

BATCH, BATCH_FREELY = 10, 4
"""Evaluations between two fits, and the same for asynchronous searches, which learn from every single value."""

INNER_POPULATION = 200
"""Population of the evolution on predictions."""

INNER_GENERATIONS = 30
"""Generations of that evolution, per fit."""

CANDIDATES = 2000
"""Rows nearest to the predicted front whose gain is computed."""

DRAWS = 64
"""Joint draws of the candidates' values while other evaluations are pending."""

PUBLISHED_INNER_EVALUATIONS = 20_000
"""Predictions per fit of the published tactic."""

Tactic = Literal["ours", "published"]


def linas(
    problem: Problem, options: SearchOptions, *, start: int = START, batch: int = BATCH, tactic: Tactic = "ours"
) -> Stepwise:
    """Find a front with few evaluations of the slow metrics.

    Args:
        problem: its slow metrics are predicted; if it names none, its first objective is.
        options: uses ``evaluations``, ``seed``, ``start``, ``fit``, ``at_once`` and ``revise``. With ``at_once`` above 1
            the search never waits: it predicts from the values known so far, and averages over joint draws of the
            pending ones.
        start: evaluations before the first fit, those of ``options.start`` included.
        batch: evaluations between two fits; asynchronous searches take the least of this, ``BATCH_FREELY`` and
            ``at_once``.
        tactic: ours, or the published one.

    Raises:
        SpaceError: ``start`` or ``batch`` is below 1.
    """
    for name, value in (("start", start), ("batch", batch)):
        if value < 1:
            raise SpaceError(f"{name} {value}", "at least 1 is needed", "raise it")
    slow = problem.slow or (problem.objectives[0].name,)
    predicting = Problem(problem.space, problem.objectives, problem.constraints, slow)
    waits = options.at_once == 1
    size = batch if waits else min(batch, BATCH_FREELY, options.at_once)
    steps = partial(_steps, start=max(start, options.at_once), batch=size, tactic=tactic)
    return Stepwise("linas", predicting, options, steps, waits=waits)


def _steps(pool: Pool, options: SearchOptions, start: int, batch: int, tactic: Tactic) -> Steps:
    fit = options.fit or gaussian_process(pool.problem.space)
    first = _start(pool, options, start, tactic)
    yield first
    near, step = first, 1
    while len(pool.seen) < max(FEWEST_FITTED, min(FEWEST_TOLD, len(first))):
        step += 1
        more = pool.fresh(
            stratified_start(pool.problem, len(first) + batch * step, np.random.default_rng([options.seed, step]))
        )
        if not len(more):
            return
        yield more[:batch]
    while True:
        step += 1
        # Every round has its own random stream, so that rows told from outside do not change later draws.
        rng = np.random.default_rng([options.seed, step])
        size = min(batch, options.evaluations - pool.asked)
        if size <= 0:
            return
        if options.revise is not None:
            pool.revise(dict(options.revise(pool.seen.x)))
        models = {name: fit(pool.seen.x, pool.seen.values[name]) for name in pool.problem.slow}
        if tactic == "published":
            chosen = _final_population(pool, models, size, rng)
        else:
            chosen, near = _most_promising(pool, models, near, size, rng)
        if not len(chosen):
            return
        yield chosen


def _start(pool: Pool, options: SearchOptions, start: int, tactic: Tactic) -> Population:
    rng, problem = np.random.default_rng([options.seed, 0]), pool.problem
    given = options.start_rows(problem.space)
    size = max(start - len(given), 0)
    if tactic == "published":
        others = problem.space.sample(size, rng, distinct_uniform=False)
    else:
        others = stratified_start(problem, size, rng)
    return pool.fresh(np.concatenate([given, others]))


def _predicted(problem: Problem, models: Mapping[str, Surrogate]) -> Problem:
    """The problem with predictions in place of its slow metrics."""
    metrics: dict[str, MetricFunction] = {name: model.predict for name, model in models.items()}
    return Problem(
        problem.space,
        [replace(o, fn=metrics.get(o.name, o.fn)) for o in problem.objectives],
        [replace(c, fn=metrics.get(c.name, c.fn)) for c in problem.constraints],
    )


def _inner(problem: Problem, population: int, rng: np.random.Generator, start: Population) -> tuple[Evolution, Pool]:
    """An evolution on predictions, and the pool of the rows that it has scored."""
    from hwnas.search.evolve._pymoo import Evolution  # most commands need no pymoo

    scored = Pool(problem)
    drawn = problem.space.sample(2 * population, rng, distinct_uniform=False)
    first = scored.fresh(np.concatenate([start, drawn]))
    return Evolution("nsga2", problem, population, rng, first, scored.knows), scored


def _final_population(pool: Pool, models: Mapping[str, Surrogate], size: int, rng: np.random.Generator) -> Population:
    algorithm, scored = _inner(_predicted(pool.problem, models), size, rng, pool.x[:0])
    for _ in range(max(PUBLISHED_INNER_EVALUATIONS // size, 1)):
        _generation(algorithm, scored)
    return pool.fresh(algorithm.x)[:size]


def _generation(algorithm: Evolution, scored: Pool) -> None:
    x = algorithm.ask()
    if len(x):
        values = scored.problem.evaluate(x)
        scored.add(x, values)
        algorithm.tell(values)


def _most_promising(
    pool: Pool, models: Mapping[str, Surrogate], near: Population, size: int, rng: np.random.Generator
) -> tuple[Population, Population]:
    """The next batch, and the rows near the predicted front, from which the next round starts."""
    problem = _predicted(pool.problem, models)
    algorithm, scored = _inner(problem, INNER_POPULATION, rng, np.concatenate([near, pool.x]))
    for _ in range(INNER_GENERATIONS):
        _generation(algorithm, scored)
    values = scored.seen.values
    known = [c.excess(values[c.name]) == 0 for c in problem.constraints if c.name not in models]
    within = np.flatnonzero(np.all(known, axis=0)) if known else np.arange(len(scored.seen))
    if not len(scored.x):  # no row is predicted to meet the predicted budgets: try those that miss them by least
        nearest = scored.seen.x[within[np.argsort(problem.violation(values)[within], kind="stable")]]
        return pool.fresh(nearest)[:size], nearest[:INNER_POPULATION]
    gap = behind(problem.costs(values)[within], scored.costs)
    candidates = pool.fresh(scored.seen.x[within[np.argsort(gap, kind="stable")[:CANDIDATES]]])
    return candidates[_batch(pool, problem, models, candidates, size, rng)], scored.x


def _batch(
    pool: Pool,
    problem: Problem,
    models: Mapping[str, Surrogate],
    x: Population,
    size: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Which of the candidates to evaluate."""
    if not len(x):
        return np.zeros(0, dtype=np.intp)
    predicted = problem.evaluate(x)
    deviation = {name: model.predict_std(x) for name, model in models.items()}
    exact = np.zeros(len(x))
    mean = problem.costs(predicted)
    std = np.stack([deviation.get(o.name, exact) for o in problem.objectives], axis=1)
    weight = np.ones(len(x))
    for c in problem.constraints:
        spread = deviation.get(c.name, exact)
        if c.upper < math.inf:
            weight *= chance_below(np.array(c.upper), predicted[c.name], spread)
        if c.lower > -math.inf:
            weight *= chance_below(np.array(-c.lower), -predicted[c.name], spread)
    costs = pool.problem.costs(pool.seen.values)
    worst, best = costs.max(axis=0), np.minimum(costs.min(axis=0), (mean - 2 * std).min(axis=0))
    reference = reference_beyond(worst, worst - best)
    if len(pool.pending):
        drawn = _drawn(problem, models, np.concatenate([x, pool.pending]), rng)
        gain: Gain = JointGain(reference, best, pool.costs, drawn[:, : len(x)], drawn[:, len(x) :])
    else:
        gain = IndependentGain(ExpectedImprovement(reference, best, pool.costs), mean, std)
    return choose_batch(gain, weight, size)


def _drawn(
    problem: Problem, models: Mapping[str, Surrogate], x: Population, rng: np.random.Generator
) -> NDArray[np.float64]:
    """``(DRAWS, n, m)`` joint draws of the costs of rows."""
    costs = np.repeat(problem.costs(problem.evaluate(x))[None], DRAWS, axis=0)
    for i, objective in enumerate(problem.objectives):
        if objective.name in models:
            costs[:, :, i] = objective.cost(models[objective.name].draws(x, DRAWS, rng))
    return costs
