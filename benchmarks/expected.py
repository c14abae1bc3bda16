"""Searches by accuracies that are measured on samples, as ``hwnas search --evaluate`` runs them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hwnas.search import Problem, SearchOptions, Trial, best_of, gaussian_process, linas, run_trial
from hwnas.space import Population
from hwnas.supernet import MeasuredAccuracy
from hwnas.task import sampling_errors


def errors_of(accuracy: MeasuredAccuracy, x: Population) -> NDArray[np.float64] | None:
    """``(n,)`` by how much the choice of samples moves accuracies that are known."""
    return sampling_errors(accuracy.data, accuracy(x), accuracy.facts(x)["images"])


def expected_front(problem: Problem, trial: Trial, accuracy: MeasuredAccuracy) -> Population:
    """``(n, g)`` the front of all that was evaluated, by what is expected of it on other samples."""
    (slow,) = problem.slow
    fit = gaussian_process(problem.space, partial(errors_of, accuracy))
    expects = fit(trial.x, accuracy(trial.x)).predict
    objectives = [replace(o, fn=expects) if o.name == slow else o for o in problem.objectives]
    return best_of(Problem(problem.space, objectives), [trial])


def searched_front(problem: Problem, accuracy: MeasuredAccuracy, evaluations: int, seed: int) -> Population:
    """``(n, g)`` what LINAS finds, which is told of the errors."""
    fit = gaussian_process(problem.space, partial(errors_of, accuracy))
    trial = run_trial("linas", linas(problem, SearchOptions(evaluations, seed, fit=fit)))
    return expected_front(problem, trial, accuracy)
