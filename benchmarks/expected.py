"""Searches by accuracies that are measured on samples, as ``hwnas search --evaluate`` runs them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hwnas.search import Fit, MetricFunction, Problem, SearchOptions, best_of, gaussian_process, linas, run_trial
from hwnas.space import Population
from hwnas.supernet import MeasuredAccuracy
from hwnas.task import sampling_errors


def errors_of(accuracy: MeasuredAccuracy, x: Population) -> NDArray[np.float64] | None:
    """``(n,)`` by how much the choice of samples moves accuracies that are known."""
    return sampling_errors(accuracy.data, accuracy(x), accuracy.facts(x)["images"])


def expected(problem: Problem, x: Population, fit: Fit) -> Problem:
    """The problem with what is expected on other samples in place of what is measured, by rows that were evaluated."""
    (slow,) = problem.slow
    expects = fit(x, np.asarray(problem.metrics[slow](x))).predict
    objectives = [replace(o, fn=expects) if o.name == slow else o for o in problem.objectives]
    return Problem(problem.space, objectives, slow=problem.slow)


def told_of_errors(problem: Problem, accuracy: MeasuredAccuracy) -> Fit:
    """What fits predictors to accuracies, as the command does."""
    return gaussian_process(problem.space, partial(errors_of, accuracy))


def searched(
    problem: Problem, accuracy: MeasuredAccuracy, evaluations: int, seed: int
) -> tuple[Population, MetricFunction]:
    """``(n, g)`` the front that LINAS finds, which is told of the errors; and what accuracies are expected."""
    fit = told_of_errors(problem, accuracy)
    trial = run_trial("linas", linas(problem, SearchOptions(evaluations, seed, fit=fit)))
    expects = expected(problem, trial.x, fit)
    return best_of(expects, [trial]), expects.metrics[problem.slow[0]]
