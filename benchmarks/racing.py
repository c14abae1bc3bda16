"""Searches in which subnets race, against those in which every subnet sees every sample.

    python -m benchmarks.racing --seeds 3
    python -m benchmarks.racing --supernet trec.safetensors --data trec --evals 100 --seeds 2
    python -m benchmarks.racing --supernet own.safetensors --data photos --images 1000 --calibrate 500 --evals 100 --seeds 2

LINAS, accuracy against MACs. A race has more subnets than the plain search (``--more``), which is part of what it saves.
Per seed, of the racing search: the samples that were shown as a share of those that the plain search shows, how many
subnets were shown all, its hypervolume as a share of the plain search's, and its final front's largest difference from
the plain evaluation of the same subnets, which must be 0. Two reference points: a tenth of the plain front's range
beyond its worst values, which makes every point of accuracy count for most; and the one that the search itself goes by,
the worst values of its first subnets.

Margins of subnets are kept in ``--keep``, whichever search asked for them first, so that seeds share them and a run that
was interrupted goes on; both searches ask as the commands do.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.io import Journal
from hwnas.search import TOLERANCE, Objective, Problem, Race, SearchResult, Yardstick, hypervolume, run_search
from hwnas.space import Population, macs_cost
from hwnas.study import Evaluation
from hwnas.study._racing import can_race
from hwnas.supernet import MeasuredAnswers, evaluate, get_engine


class Answered:
    """All margins of subnets, asked for once.

    Args:
        answers: of a supernet.
        n: samples there are.
    """

    def __init__(self, answers: MeasuredAnswers, n: int) -> None:
        self.answers, self.n = answers, n
        self._known: dict[bytes, NDArray[np.float16]] = {}

    def of(self, rows: Population) -> NDArray[np.float16]:
        """``(k, n)``."""
        for row in rows:
            if row.tobytes() not in self._known:
                (margins,) = self.answers(row[None], np.arange(self.n)[None], 0)
                assert margins is not None
                self._known[row.tobytes()] = margins
        return np.stack([self._known[row.tobytes()] for row in rows])

    def some(self, rows: Population, samples: NDArray[np.intp], _: int) -> list[NDArray[np.float16] | None]:
        """As a race asks: ``(s,)`` margins of each row on samples of its own."""
        return list(np.take_along_axis(self.of(rows), samples, axis=1))

    def top1(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(k,)`` percent."""
        percent: NDArray[np.float64] = 100 * (self.of(x) > 0).sum(axis=1) / self.n
        return percent


def plain(problem: Problem, evals: int, seed: int) -> SearchResult:
    """Every subnet sees every sample."""
    return run_search(problem, "linas", evaluations=evals, seed=seed)


def racing(problem: Problem, heard: Answered, evals: int, seed: int, tolerance: float) -> tuple[Race, Population]:
    """The race, and its front."""
    race = Race(problem, heard.some, heard.n, tolerance, seed)
    (slow,) = problem.slow

    def told(x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        race(x)
        return {name: fn(x) for name, fn in problem.known.items()} | revised(x)

    def revised(x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        return {slow: np.array([race.value(e) for e in race.of(x)])}

    run_search(problem, "linas", evaluations=evals, seed=seed, revise=revised, evaluate=told)
    race.close()
    return race, race.front()[0]


def compared(
    problem: Problem, heard: Answered, evals: int, seed: int, more: float, tolerance: float
) -> tuple[list[float], Population]:
    """Percent of samples shown, subnets shown all, hypervolume by both reference points in percent; and the racing front."""
    found = plain(problem, evals, seed)
    race, front = racing(problem, heard, round(more * evals), seed, tolerance)
    yardstick = Yardstick.of(problem, found.x)
    ours, theirs = (problem.costs(problem.evaluate(x)) for x in (front, found.x))
    signs = np.array([-1.0 if o.maximise else 1.0 for o in problem.objectives])
    wide = (signs * found.reference).tolist()
    shown = [e.n_shown for e in race.entrants]
    strict = yardstick.curve(front)[-1] / yardstick.best
    loose = hypervolume(ours, wide) / hypervolume(theirs, wide)
    whole = sum(n == heard.n for n in shown)
    return [100 * sum(shown) / (heard.n * evals), whole, 100 * strict, 100 * loose], front


def main() -> None:
    """Print a line per seed, and their means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--supernet", default="digits")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--calibrate", type=int, default=2000)
    parser.add_argument("--evals", type=int, default=150)
    parser.add_argument("--more", type=float, default=1.2, help="raced subnets per plain one")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    parser.add_argument("--keep", type=Path, default=Path("racing.jsonl"))
    options = parser.parse_args()
    asked = Evaluation(options.supernet, data=options.data, images=options.images, calibrate=options.calibrate)
    net, engine = asked.net, get_engine()
    data = can_race(asked.samples(net)[0])
    with Journal(options.keep, {"supernet": net.digest, "data": str(options.data), "n": data.n_validation}) as journal:
        heard = Answered(MeasuredAnswers(net, data, journal, engine), data.n_validation)
        objectives = [
            Objective(net.metric, "%", True, heard.top1),
            Objective("macs", "", False, macs_cost(net.space)),
        ]
        problem = Problem(net.space, objectives, slow=[net.metric])
        rows, largest = [], 0.0
        print(
            f"{net.space.name}, {data.n_validation} samples, {options.evals} subnets, {options.more:g} times as many raced"
        )
        print("seed  shown %  shown all  hypervolume %  by the search's own reference")
        for seed in range(options.first, options.first + options.seeds):
            row, front = compared(problem, heard, options.evals, seed, options.more, options.tolerance)
            rows.append(row)
            print("{:4}  {:7.1f}  {:9.0f}  {:13.3f}  {:.3f}".format(seed, *row), flush=True)
            exact = np.array([evaluate(net, x, data, engine).value for x in front[:: max(1, len(front) // 4)]])
            largest = max(largest, float(np.abs(exact - heard.top1(front[:: max(1, len(front) // 4)])).max()))
        print("mean  {:7.1f}  {:9.0f}  {:13.3f}  {:.3f}".format(*np.mean(rows, axis=0)))
        print("worst {:7.1f}  {:9.0f}  {:13.3f}  {:.3f}".format(*np.max(rows, axis=0)[:2], *np.min(rows, axis=0)[2:]))
        print(f"largest difference of a front's accuracy from its plain evaluation: {largest:g} points")


if __name__ == "__main__":
    main()
