"""Exact fronts: their run time, and a comparison with an integer programme's optimum for single budgets.

    OMP_NUM_THREADS=1 python -m benchmarks.exact_front

The accuracy model is an additive approximation of the predictor that ships. The cost is latency by the table that ships, at its
resolutions, or MACs, at nine and at all 25 resolutions. Block libraries are random: 32 layers of 54 alternatives, whose quality
and three costs grow with their size, as in Puzzle (Bercovich et al. 2024). Costs are continuous, or whole numbers, so that many
sums are equal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.additive_approximation import additive_approximation
from hwnas.errors import SpaceError
from hwnas.latency import find_table
from hwnas.predictor import get_predictor
from hwnas.search import exact_front
from hwnas.space import AdditiveCost, SearchSpace, get_space, macs_cost
from hwnas.space.families.block_library import block_library
from tests.search.exact.integer_programme import milp_minimum

TABLE = Path(__file__).parent / "tables" / "amd-epyc-avx512-cpu-t1-b1"
SHARES = (0.2, 0.35, 0.5, 0.65, 0.8)
"""Budgets of the comparison, as shares of the range of a cost."""

LAYERS, CHOICES = 32, 54
COSTS = ("latency", "memory", "energy")


def whole_front(name: str, space: SearchSpace, loss: AdditiveCost, cost: AdditiveCost) -> None:
    """Compute the front once, and solve the integer programme for every budget."""
    started = time.perf_counter()
    front = exact_front(space, [loss, cost])
    front_s = time.perf_counter() - started
    costs, losses = cost(front), loss(front)
    milp_s, worst = [], 0.0
    for share in SHARES:
        budget = float(costs.min() + share * np.ptp(costs))
        started = time.perf_counter()
        least = milp_minimum(space, loss, [(cost, budget)])
        milp_s.append(time.perf_counter() - started)
        worst = max(worst, abs(float(losses[costs <= budget].min()) - least))
    print(
        f"{name:<44}{len(front):>7} subnets{front_s:>8.2f} s   HiGHS {np.mean(milp_s):>6.2f} s for each of "
        f"{len(SHARES)} budgets; largest difference {worst:.1e}",
        flush=True,
    )


def library(seed: int, *, whole: bool) -> tuple[SearchSpace, dict[str, AdditiveCost]]:
    rng = np.random.default_rng(seed)
    size = rng.random(LAYERS * CHOICES)
    columns = {name: size * rng.uniform(0.5, 1, len(size)) + 0.4 * rng.random(len(size)) for name in COSTS}
    columns["loss"] = -np.log(0.02 + size) * rng.uniform(0.5, 1.5, len(size))
    if whole:
        columns |= {name: np.round(20 * columns[name]) for name in COSTS}
    layers = np.repeat(np.arange(LAYERS), CHOICES).tolist()
    return block_library(layers, np.tile(np.arange(CHOICES), LAYERS).tolist(), columns)


def three_budgets(name: str, space: SearchSpace, costs: dict[str, AdditiveCost], shares: Sequence[float]) -> None:
    """Compare the best row within three budgets with the integer programme's."""
    took, milp_took, worst = [], [], 0.0
    for share in shares:
        ends = {c: (costs[c].minimum()[0], costs[c].maximum()[0]) for c in COSTS}
        limits = [(costs[c], ends[c][0] + share * (ends[c][1] - ends[c][0])) for c in COSTS]
        started = time.perf_counter()
        best = exact_front(space, [costs["loss"]], limits)
        took.append(time.perf_counter() - started)
        started = time.perf_counter()
        least = milp_minimum(space, costs["loss"], limits)
        milp_took.append(time.perf_counter() - started)
        worst = max(worst, abs(float(costs["loss"](best)[0]) - least))
    print(
        f"{name:<44}{'1':>7} subnet {np.mean(took):>8.2f} s   (at most {max(took):.2f} s)   HiGHS "
        f"{np.mean(milp_took):>6.2f} s (at most {max(milp_took):.2f} s); largest difference {worst:.1e}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--libraries", type=int, default=3, help="made-up libraries of each kind")
    options = parser.parse_args()
    whole = get_space("ofa_mbv3_w1.0")
    predictor = get_predictor(None, whole)
    table = find_table(TABLE)
    timed = predictor.covered(table.covered(whole))
    everything = predictor.covered(whole)
    nine = everything.restrict(r=list(range(128, 225, 12)))
    for name, space, cost in (
        ("ofa_mbv3_w1.0, latency table, 7 resolutions", timed, table.cost(timed)),
        ("ofa_mbv3_w1.0, MACs, 9 resolutions", nine, macs_cost(nine).scaled(1e-6)),
        ("ofa_mbv3_w1.0, MACs, 25 resolutions", everything, macs_cost(everything).scaled(1e-6)),
    ):
        accuracy = additive_approximation(predictor, space, np.random.default_rng(0))
        whole_front(name, space, accuracy.scaled(-1.0), cost)
    for kind in (False, True):
        for seed in range(options.libraries):
            space, costs = library(seed, whole=kind)
            name = f"{LAYERS} x {CHOICES} library {seed}, {'whole' if kind else 'continuous'} costs"
            if kind is False and seed == 0:
                started = time.perf_counter()
                try:
                    found = f"{len(exact_front(space, [costs['loss'], costs['latency']])):>7} subnets"
                except SpaceError as error:
                    found = str(error)
                print(f"{name + ', front':<44}{found}{time.perf_counter() - started:>8.2f} s", flush=True)
            three_budgets(name + ", 3 budgets", space, costs, (0.3, 0.5))


if __name__ == "__main__":
    main()
