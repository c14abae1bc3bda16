"""Selection of parents and mates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEIGHBOURHOOD = 0.05
"""Standard deviation of the distance between mates, as a share of the population along the front."""


def tournament(
    violation: NDArray[np.float64],
    rank: NDArray[np.float64],
    niche: NDArray[np.float64],
    merit: NDArray[np.float64],
    n: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """``(n,)`` winners of binary tournaments.

    The row that violates budgets less wins. Between feasible rows of one niche, rank decides, then merit. Ties, and
    feasible rows of different niches, are decided at random.

    Args:
        violation: ``(k,)`` how far rows break budgets; 0 is feasible.
        rank: ``(k,)`` number of the non-dominated front.
        niche: ``(k,)`` nearest reference direction of U-NSGA-III; all 0 for NSGA-II.
        merit: ``(k,)`` crowding distance, or nearness to the direction; larger is better.
        n: number of tournaments.
        rng: draws the pairs, and decides ties.
    """
    a, b = rng.integers(len(rank), size=(2, n))
    draw = rng.random(n) < 0.5
    feasible = (violation[a] <= 0) & (violation[b] <= 0)
    # The first of these criteria that differs decides.
    criteria = [violation[b] - violation[a], np.where(feasible, rank[b] - rank[a], 0)]
    with np.errstate(invalid="ignore"):  # both crowding distances may be infinite
        criteria.append(np.where(feasible, np.nan_to_num(merit[a] - merit[b]), 0))
    same = ~feasible | (niche[a] == niche[b])
    first = np.zeros(n)
    for difference in criteria:
        first = np.where(first == 0, np.sign(difference), first)
    winners: NDArray[np.intp] = np.where(np.where(same & (first != 0), first > 0, draw), a, b)
    return winners


def mates(costs: NDArray[np.float64], parents: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """``(n,)`` mates, one for each parent, from its neighbourhood along the last objective.

    Subnets of similar cost share many genes, the resolution above all. Crossing distant ones mostly gives rows that
    suit neither region of the front.
    """
    along = np.argsort(costs[:, -1], kind="stable")
    place = np.empty(len(along), dtype=np.intp)
    place[along] = np.arange(len(along))
    step = np.rint(rng.normal(0.0, NEIGHBOURHOOD * len(along), size=len(parents))).astype(np.intp)
    found: NDArray[np.intp] = along[np.clip(place[parents] + step, 0, len(along) - 1)]
    return found
