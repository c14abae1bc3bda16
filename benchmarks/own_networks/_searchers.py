"""Searchers with real evaluations on the trained supernet. Seeds share measured accuracies, so each subnet is evaluated once."""

from __future__ import annotations

import numpy as np

from benchmarks.expected import expected, fit_with_errors
from benchmarks.own_networks._run import Run
from benchmarks.own_networks._subnets import problem_of, searched_space, time_of
from hwnas.search import (
    SEARCHERS,
    Problem,
    SearchOptions,
    Trial,
    Yardstick,
    best_of,
    gaussian_process,
    run_trial,
)
from hwnas.supernet import MeasuredAccuracy

METHODS = {"linas": "linas", "linas, not told of errors": "linas", "nsga2": "nsga2", "random": "random"}
"""Searchers by method."""

SEEDS = 5
EVALUATIONS = 40
CHECKPOINTS = (20, 30, 40)


def searchers(run: Run) -> None:
    """Run every searcher, and record the hypervolume of its fronts on samples that it did not see.

    At each checkpoint the front is chosen by expected accuracies; at the end also by measured ones (``told``). ``too_high`` is how
    far the front's values lie above those on unseen samples, beyond the mean difference of the two sets of samples.
    """
    net = run.fine_tuned("supernet", *run.opened(), "sandwich")
    accuracy, journal = run.accuracy("supernet", net, "data")
    with journal:
        problem = problem_of(searched_space(run, net), accuracy, time_of(run, net))
        fit = fit_with_errors(problem, accuracy)
        trials = []
        for seed in range(SEEDS):
            for method in METHODS:
                trials.append(_searched(method, problem, accuracy, seed))
                print(f"{run.folder.name} {method} seed {seed}: {accuracy.n_known} subnets measured in all", flush=True)
        fronts, believed = {}, {}
        for i, trial in enumerate(trials):
            for k in CHECKPOINTS:
                so_far = Trial(trial.searcher, trial.seed, trial.x[:k])
                expects = expected(problem, so_far.x, fit)
                fronts[i, str(k)] = best_of(expects, [so_far])
                believed[i, str(k)] = expects.objectives[0].fn(fronts[i, str(k)])
            fronts[i, "told"] = best_of(problem, [trial])
            believed[i, "told"] = accuracy(fronts[i, "told"])
    test, journal = run.accuracy("supernet", net, "test")
    with journal:
        real = problem_of(problem.space, test, problem.objectives[1].fn)
        known = Trial("all", 0, np.unique(np.concatenate(list(fronts.values())), axis=0))
        yardstick = Yardstick.of(real, best_of(real, [known]))
        easier = (accuracy(known.x) - test(known.x)).mean()  # the search's samples, for all subnets alike
        for i, trial in enumerate(trials):
            mine = {name: x for (j, name), x in fronts.items() if j == i}
            shares = {name: 100 * float(yardstick.curve(x)[-1]) / yardstick.best for name, x in mine.items()}
            too_high = {name: float((believed[i, name] - test(x)).mean() - easier) for name, x in mine.items()}
            run.record(
                study="searchers by test", method=trial.searcher, seed=trial.seed, shares=shares, too_high=too_high
            )


def _searched(method: str, problem: Problem, accuracy: MeasuredAccuracy, seed: int) -> Trial:
    fit = fit_with_errors(problem, accuracy) if method == "linas" else gaussian_process(problem.space)
    options = SearchOptions(EVALUATIONS, seed, fit=fit)
    return run_trial(method, SEARCHERS[METHODS[method]](problem, options))
