"""Searchers with real evaluations on the trained supernet: seeds share a table of accuracies, so each is measured once."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.own_networks._run import Run
from benchmarks.own_networks._subnets import problem_of, searched_space, time_of
from hwnas.search import SEARCHERS, SearchOptions, Yardstick, best_of, run_trial
from hwnas.supernet import load_supernet

METHODS = ("linas", "nsga2", "random")
SEEDS = 5
SAMPLES = 200
"""Few, so that five seeds can be had; all see the same."""

EVALUATIONS = 40
CHECKPOINTS = (20, 30, 40)


def searchers(run: Run) -> None:
    """Let every searcher spend its evaluations, and write down its hypervolumes as shares of that of all runs together.

    By what it saw, where the luckiest subnets of those that were tried count, and its last front by the test samples.
    """
    net = load_supernet(str(run.folder / "supernet.safetensors"))
    accuracy, journal = run.accuracy("supernet", net, "data", SAMPLES)
    with journal:
        problem = problem_of(searched_space(run, net), accuracy, time_of(run, net))
        trials = []
        for seed in range(SEEDS):
            for method in METHODS:
                trials.append(run_trial(method, SEARCHERS[method](problem, SearchOptions(EVALUATIONS, seed))))
                print(f"{run.folder.name} {method} seed {seed}: {accuracy.n_known} subnets measured in all", flush=True)
        yardstick = Yardstick.of(problem, best_of(problem, trials))
        fronts = [replace(trial, x=best_of(problem, [trial])) for trial in trials]
    test, journal = run.accuracy("supernet", net, "test")
    with journal:
        real = problem_of(problem.space, test, problem.objectives[1].fn)
        by_test = Yardstick.of(real, best_of(real, fronts))
        for trial, front in zip(trials, fronts, strict=True):
            curve = yardstick.curve(trial.x)
            shares = {str(k): 100 * float(curve[min(k, len(curve)) - 1]) / yardstick.best for k in CHECKPOINTS}
            kept = 100 * float(by_test.curve(front.x)[-1]) / by_test.best
            run.record(study="searchers", method=trial.searcher, seed=trial.seed, shares=shares, test=kept)
