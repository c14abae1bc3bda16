"""Searches that race subnets, against searches that evaluate every subnet on every sample.

    python -m benchmarks.racing --seeds 3
    python -m benchmarks.racing --supernet trec.safetensors --data trec/data --test trec/test --evals 100 --seeds 3
    python -m benchmarks.racing --supernet own.safetensors --data photos --test others --images 1000 --calibrate 500 --evals 100

Both are LINAS, accuracy against MACs, with measurement errors and fronts by expected accuracies on other samples, as in
``hwnas search --evaluate``. A race has more subnets than the plain search (``--more``), which uses part of its savings. Fronts are
judged on ``--test``, samples that neither search saw; without it, searches see every other sample, and the rest judge. Printed for
each seed of the racing search: evaluated samples as a share of the plain search's, and the number of subnets that were evaluated on
all samples. Printed over all seeds, as shares of the plain fronts': the hypervolume of its fronts, and the worth of choosing the
subnet with the highest expected accuracy, with bootstrap intervals over the judging samples. The accuracies of the final front must
equal a plain evaluation, up to rounding.

Margins of subnets are kept in ``--keep``, so that seeds and searches share them, and an interrupted run resumes.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.expected import expected
from benchmarks.unseen import Corner, Front, shares, summary
from hwnas.io import Journal
from hwnas.search import (
    TOLERANCE,
    Errors,
    Fit,
    MetricFunction,
    Objective,
    Problem,
    Race,
    SearchOptions,
    Trial,
    best_of,
    gaussian_process,
    linas,
    run_search,
    run_trial,
)
from hwnas.space import Population, macs_cost
from hwnas.study import Evaluation
from hwnas.study._racing import can_race
from hwnas.supernet import MeasuredAnswers, Supernet, evaluate, get_engine
from hwnas.task import share_errors


class Answered:
    """Cached margins of subnets on some samples.

    Args:
        answers: of a supernet.
        places: ``(n,)`` indices of the samples among all.
        n: number of all samples.
    """

    def __init__(self, answers: MeasuredAnswers, places: NDArray[np.intp], n: int) -> None:
        self.answers, self.places, self.n = answers, places, n
        self._known: dict[bytes, NDArray[np.float16]] = {}

    def of(self, rows: Population) -> NDArray[np.float16]:
        """``(k, n)`` margins."""
        for row in rows:
            if row.tobytes() not in self._known:
                (margins,) = self.answers(row[None], np.arange(self.n)[None], 0)
                assert margins is not None
                self._known[row.tobytes()] = margins[self.places]
        return np.stack([self._known[row.tobytes()] for row in rows])

    def some(self, rows: Population, samples: NDArray[np.intp], _: int) -> list[NDArray[np.float16] | None]:
        """For a race: ``(s,)`` margins of each row on its own samples."""
        return list(np.take_along_axis(self.of(rows), samples, axis=1))

    def top1(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(k,)`` accuracies in percent."""
        percent: NDArray[np.float64] = 100 * (self.of(x) > 0).mean(axis=1)
        return percent

    def errors(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(k,)`` standard errors of the accuracies due to the choice of samples."""
        return share_errors(self.top1(x), len(self.places))


@dataclass(frozen=True)
class Samples:
    """A supernet's margins on the samples that searches see, and on those that judge their fronts."""

    net: Supernet
    all_seen: Answered
    heard: Answered
    judge: Answered

    @classmethod
    def opened(cls, options: argparse.Namespace, until_done: ExitStack) -> Samples:
        """From the command line; journals are closed with ``until_done``."""
        asked = Evaluation(options.supernet, data=options.data, images=options.images, calibrate=options.calibrate)
        net, engine = asked.net, get_engine()

        def answers(of: Evaluation, keep: Path) -> tuple[MeasuredAnswers, int]:
            data = can_race(of.samples(net)[0])
            about = {"supernet": net.digest, "data": str(of.data), "n": data.n_validation}
            return MeasuredAnswers(net, data, until_done.enter_context(Journal(keep, about)), engine), data.n_validation

        own, n = answers(asked, options.keep)
        all_seen = Answered(own, np.arange(n), n)
        if options.test is None:
            return cls(net, all_seen, *(Answered(own, np.arange(part, n, 2), n) for part in (0, 1)))
        tested, m = answers(replace(asked, data=options.test, images=5000), options.keep.with_suffix(".test.jsonl"))
        return cls(net, all_seen, all_seen, Answered(tested, np.arange(m), m))

    def problem(self, values: MetricFunction) -> Problem:
        """Accuracy against MACs."""
        macs = Objective("macs", "", False, macs_cost(self.net.space))
        return Problem(self.net.space, [Objective(self.net.metric, "%", True, values), macs], slow=[self.net.metric])

    def judged(
        self, values: MetricFunction, errors: Errors, every: Population, whole: Population
    ) -> tuple[Population, Front]:
        """The front, by expected accuracies, of the subnets ``whole`` that were evaluated on all samples."""
        expects = expected(self.problem(values), every, gaussian_process(self.net.space, errors))
        x = best_of(expects, [Trial("", 0, whole)])
        return x, Front(self.judge.of(x) > 0, expects.metrics[self.net.metric](x), expects.metrics["macs"](x)[:, None])

    def largest_error(self, x: Population) -> float:
        """Largest difference of the accuracies of some rows from a plain evaluation, in points."""
        some = x[:: max(1, len(x) // 4)]
        data = self.all_seen.answers.data
        exact = np.array([evaluate(self.net, row, data, get_engine()).value for row in some])
        return float(np.abs(exact - self.all_seen.top1(some)).max())


def plain(problem: Problem, fit: Fit, evals: int, seed: int) -> Trial:
    """A search that evaluates every subnet on every sample."""
    return run_trial("linas", linas(problem, SearchOptions(evals, seed, fit=fit)))


def racing(problem: Problem, heard: Answered, evals: int, seed: int, tolerance: float) -> Race:
    """A search that races subnets; returns the finished race."""
    race = Race(problem, heard.some, len(heard.places), tolerance, seed)
    (slow,) = problem.slow

    def asked(x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        race(x)
        return {name: fn(x) for name, fn in problem.known.items()} | revised(x)

    def revised(x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        return {slow: race.values(x)}

    fit = gaussian_process(problem.space, race.errors)
    run_search(problem, "linas", evaluations=evals, seed=seed, fit=fit, revise=revised, evaluate=asked)
    race.close()
    return race


def compare(samples: Samples, options: argparse.Namespace) -> None:
    """Print one line for each seed, and the worth of fronts."""
    net, heard = samples.net, samples.heard
    problem, fit = samples.problem(heard.top1), gaussian_process(net.space, heard.errors)
    print(
        f"{net.space.name}, {len(heard.places)} samples, {options.evals} subnets, {options.more:g} times as many raced"
    )
    print("seed  shown %  shown all  on the front  of the plain search")
    rows, plains, races, largest = [], [], [], 0.0
    for seed in range(options.first, options.first + options.seeds):
        trial = plain(problem, fit, options.evals, seed)
        plains.append(samples.judged(heard.top1, heard.errors, trial.x, trial.x)[1])
        race = racing(problem, heard, round(options.more * options.evals), seed, options.tolerance)
        whole = np.stack([e.row for e in race.entrants if not e.is_out])
        x, front = samples.judged(race.values, race.errors, np.stack([e.row for e in race.entrants]), whole)
        races.append(front)
        shown = sum(e.n_shown for e in race.entrants) / (len(heard.places) * options.evals)
        rows.append([100 * shown, len(whole), len(x), len(plains[-1].expected)])
        print("{:4}  {:7.1f}  {:9.0f}  {:12.0f}  {:.0f}".format(seed, *rows[-1]), flush=True)
        largest = max(largest, samples.largest_error(x))
    print("mean  {:7.1f}  {:9.0f}  {:12.0f}  {:.0f}".format(*np.mean(rows, axis=0)))
    corner = Corner.of([*plains, *races])
    for chosen in (False, True):
        what = "by choice  " if chosen else "hypervolume"
        print(f"{what}, percent of the plain fronts: {summary(shares(races, plains, corner, chosen=chosen))}")
    print(f"largest difference of a front's accuracy from its plain evaluation: {largest:g} points")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--supernet", default="digits")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--test", type=Path, help="data that judge; by default every other sample of --data")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--calibrate", type=int, default=2000)
    parser.add_argument("--evals", type=int, default=150)
    parser.add_argument("--more", type=float, default=1.2, help="raced subnets per plain one")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    parser.add_argument("--keep", type=Path, default=Path("racing.jsonl"))
    options = parser.parse_args()
    with ExitStack() as until_done:
        compare(Samples.opened(options, until_done), options)


if __name__ == "__main__":
    main()
