"""Searches by accuracies measured on samples, as in ``hwnas search --evaluate``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwnas.search import Fit, MetricFunction, Problem, SearchOptions, best_of, gaussian_process, linas, run_trial
from hwnas.space import Population
from hwnas.supernet import MeasuredAccuracy


def expected(problem: Problem, x: Population, fit: Fit) -> Problem:
    """The problem with expected accuracies on other samples instead of measured ones, by a fit to evaluated rows."""
    (slow,) = problem.slow
    expects = fit(x, np.asarray(problem.metrics[slow](x))).predict
    objectives = [replace(o, fn=expects) if o.name == slow else o for o in problem.objectives]
    return Problem(problem.space, objectives, slow=problem.slow)


def fit_with_errors(problem: Problem, accuracy: MeasuredAccuracy) -> Fit:
    """The command's fit of predictors, which takes the standard errors of accuracies into account."""
    return gaussian_process(problem.space, accuracy.errors)


def searched(
    problem: Problem, accuracy: MeasuredAccuracy, evaluations: int, seed: int
) -> tuple[Population, MetricFunction]:
    """``(n, g)`` the front that LINAS finds, given the errors; and the expected accuracies."""
    fit = fit_with_errors(problem, accuracy)
    trial = run_trial("linas", linas(problem, SearchOptions(evaluations, seed, fit=fit)))
    expects = expected(problem, trial.x, fit)
    return best_of(expects, [trial]), expects.metrics[problem.slow[0]]
