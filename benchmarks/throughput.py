"""Subnets per second of scoring, variation and search, with one thread.

OMP_NUM_THREADS=1 python -m benchmarks.throughput
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem as PymooProblem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from benchmarks.additive_approximation import additive_approximation
from benchmarks.note10 import Note10, arguments, load
from benchmarks.ofa_finder import Upstream
from hwnas.search import Objective, Problem, hypervolume, run_search
from hwnas.search.evolve._operators import crossover, mutate, mutation_rates
from hwnas.search.problem._pool import Pool
from hwnas.space import AdditiveCost, get_space

BUDGET_MS = 40.0
EVALUATIONS = 20_000
REFERENCE = (70.0, BUDGET_MS)


def timed(name: str, n: int, what: str, run: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = run()
    wall_s = time.perf_counter() - started
    print(f"{name:<58}{wall_s:>9.2f} s{n / wall_s:>16,.0f} {what}/s")
    return result


class Stock(PymooProblem):  # type: ignore[misc]
    """The same problem in plain pymoo: integer variables, a vectorised ``_evaluate``."""

    def __init__(self, setting: Note10) -> None:
        space = setting.space
        self.setting, self.front, self.domain = setting, np.zeros((0, 2)), space.domain
        super().__init__(
            n_var=space.n_genes,
            n_obj=2,
            n_ieq_constr=1,
            vtype=int,
            xl=0,
            xu=np.array([len(d) - 1 for d in space.domain]),
        )

    def _evaluate(self, x: NDArray[Any], out: dict[str, Any], *_: Any, **__: Any) -> None:
        rows = np.stack([d[x[:, g].astype(int)] for g, d in enumerate(self.domain)], axis=1)
        rows = self.setting.space.canonical(rows)
        top1, latency = self.setting.predictor.predict(rows), self.setting.latency(rows)
        self.front = np.concatenate([self.front, np.stack([top1, latency], axis=1)])
        out["F"], out["G"] = np.stack([-top1, latency], axis=1), (latency - BUDGET_MS)[:, None]


def stock_pymoo(setting: Note10, population: int) -> NDArray[np.float64]:
    problem, repair = Stock(setting), RoundingRepair()
    algorithm = NSGA2(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=SBX(vtype=float, repair=repair),
        mutation=PM(vtype=float, repair=repair),
        eliminate_duplicates=True,
    )
    minimize(problem, algorithm, ("n_eval", EVALUATIONS), seed=0)
    return problem.front


def variation(setting: Note10, n: int) -> None:
    space, rng = setting.space, np.random.default_rng(0)
    x = timed("sampling", n, "subnets", lambda: space.sample(n, rng))
    y = space.sample(n, rng)
    timed("uniform crossover", n, "subnets", lambda: crossover(space, x, y, rng))
    timed("mutation", n, "subnets", lambda: mutate(space, x, mutation_rates(space), rng))
    pool = Pool(setting.problem(BUDGET_MS))
    timed("finding those not seen before", n, "subnets", lambda: pool.fresh(x))


def exact_fronts(setting: Note10) -> None:
    rng = np.random.default_rng(0)
    additive = additive_approximation(setting.predictor, setting.space, rng)
    nine = get_space("ofa_mbv3_w1.0").restrict(r=list(range(128, 225, 12)))
    loss = AdditiveCost.from_layers(nine, lambda layer: -float(np.log(layer.macs + 1)) * rng.uniform(0.8, 1.2))
    latency = AdditiveCost.from_layers(nine, lambda layer: 0.02 + layer.macs / 1e7 * rng.uniform(0.5, 1.5))
    for name, space, worth, cost in (
        ("exact front, Note10, 5 resolutions", setting.space, additive, setting.latency),
        ("exact front, ofa_mbv3_w1.0, 9 resolutions, random costs", nine, loss, latency),
    ):
        problem = Problem(space, [Objective("a", "", space is setting.space, worth), Objective("b", "", False, cost)])
        started = time.perf_counter()
        result = run_search(problem, "exact")
        print(f"{name:<58}{time.perf_counter() - started:>9.2f} s{len(result):>16,} points")


def searches(setting: Note10) -> None:
    """Evaluations per second, and the hypervolume of the front (above 70 %, below the budget) after equally many."""

    def volume(points: NDArray[np.float64]) -> float:
        return hypervolume(points, REFERENCE, (True, False))

    population = 500
    generations = EVALUATIONS // population
    result = timed(
        f"search: hwnas nsga2, {EVALUATIONS:,} evaluations",
        EVALUATIONS,
        "evaluations",
        lambda: run_search(
            setting.problem(BUDGET_MS), evaluations=EVALUATIONS, population=population, generations=generations
        ),
    )
    points = np.stack([result.values["top1"], result.values["latency_ms"]], axis=1)
    print(f"{'':>58}hypervolume {volume(points):.2f}")
    points = timed(
        f"search: pymoo's NSGA2 and integer operators, {EVALUATIONS:,}",
        EVALUATIONS,
        "evaluations",
        lambda: stock_pymoo(setting, population),
    )
    print(f"{'':>58}hypervolume {volume(points):.2f}")
    theirs, iterations = Upstream(setting), 40
    timed(
        f"search: OFA's EvolutionFinder, {iterations * 100:,}",
        iterations * 100,
        "evaluations",
        lambda: theirs.search(BUDGET_MS, 0, iterations),
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--subnets", type=int, default=1_000_000)
    options = parser.parse_args()
    setting = load(options.data)
    x = setting.space.sample(options.subnets, np.random.default_rng(0))
    timed("scoring with an additive cost", len(x), "subnets", lambda: setting.latency(x))
    some = x[:100_000]
    timed("scoring with OFA's accuracy network", len(some), "subnets", lambda: setting.predictor.predict(some))
    variation(setting, len(some))
    exact_fronts(setting)
    searches(setting)


if __name__ == "__main__":
    main()
