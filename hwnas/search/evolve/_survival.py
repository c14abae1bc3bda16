"""Who survives and who mates: NSGA-II (Deb et al. 2002), above two objectives U-NSGA-III (Seada and Deb 2016)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwnas.search.evolve import _pymoo
from hwnas.search.evolve._pymoo import Costs

NEIGHBOURHOOD = 0.05
"""Standard deviation of the distance between mates, as a share of the population along the front."""


@dataclass(frozen=True)
class Ranked:
    """Survivors, best first.

    Attributes:
        order: ``(k,)`` rows of the costs they were chosen from.
        rank: ``(k,)`` number of the front, infeasible ones last by violation.
        niche: ``(k,)`` reference direction; 0 for all under NSGA-II.
        merit: ``(k,)`` the second criterion, larger is better: crowding distance, or nearness to the direction.
        feasible: how many of them, from the start, are feasible.
    """

    order: NDArray[np.intp]
    rank: NDArray[np.intp]
    niche: NDArray[np.intp]
    merit: NDArray[np.float64]
    feasible: int


class Survival:
    """Environmental selection of a fixed number of rows."""

    def __init__(self, objectives: int, population: int) -> None:
        self.population = population
        self._niches: _pymoo.Niches | None = None
        if objectives > 2:
            self._niches = _pymoo.Niches(_pymoo.reference_directions(objectives, population))

    def __call__(self, costs: Costs, violation: NDArray[np.float64], rng: np.random.Generator) -> Ranked:
        """Choose by constraint domination: feasible rows by front and diversity, then the least violated."""
        feasible = np.flatnonzero(violation <= 0)
        chosen = self._choose(costs[feasible], rng) if len(feasible) else _nobody()
        chosen = replace(chosen, order=feasible[chosen.order])
        missing = self.population - len(chosen.order)
        if missing <= 0 or len(feasible) == len(costs):
            return chosen
        rest = np.flatnonzero(violation > 0)
        rest = rest[np.argsort(violation[rest], kind="stable")][:missing]
        last = int(chosen.rank.max(initial=-1)) + 1
        return Ranked(
            np.concatenate([chosen.order, rest]),
            np.concatenate([chosen.rank, last + np.arange(len(rest))]),
            np.concatenate([chosen.niche, np.zeros(len(rest), dtype=np.intp)]),
            np.concatenate([chosen.merit, np.zeros(len(rest))]),
            chosen.feasible,
        )

    def _choose(self, costs: Costs, rng: np.random.Generator) -> Ranked:
        fronts = _pymoo.fronts(costs, self.population)
        rows = np.concatenate(fronts)
        rank = np.repeat(np.arange(len(fronts)), [len(f) for f in fronts])
        if self._niches is None:
            niche = np.zeros(len(rows), dtype=np.intp)
            merit = np.concatenate([_pymoo.crowding(costs[f]) for f in fronts])
            best = np.lexsort((-merit, rank))
        else:
            niche, distance = self._niches(costs[rows], np.arange(len(fronts[0])))
            merit = -distance
            best = np.lexsort((self._crowded(rank, niche, distance, rng), rank))
        best = best[: self.population]
        return Ranked(rows[best], rank[best], niche[best], merit[best], len(best))

    def _crowded(
        self,
        rank: NDArray[np.intp],
        niche: NDArray[np.intp],
        distance: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """NSGA-III's niching of the last front, all at once: fill the emptiest niches first.

        Within a niche nobody of the fronts before belongs to, the nearest comes first; else, and after it, any.
        Ties between niches are drawn.
        """
        last = rank == rank.max(initial=0)
        count = np.bincount(niche[~last], minlength=int(niche.max(initial=0)) + 1)
        key = rng.random(len(rank))
        nearest = np.lexsort((distance, niche))
        nearest = nearest[last[nearest]]
        first = nearest[np.unique(niche[nearest], return_index=True)[1]]
        key[first[count[niche[first]] == 0]] = -1.0
        order = np.lexsort((key, niche))
        order = order[last[order]]
        starts = np.unique(niche[order], return_index=True)[1]
        place = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
        crowded = np.zeros(len(rank))
        crowded[order] = count[niche[order]] + place + rng.random(len(order)) * 0.5
        return crowded


def _nobody() -> Ranked:
    none = np.zeros(0, dtype=np.intp)
    return Ranked(none, none, none, np.zeros(0), 0)


def tournament(ranked: Ranked, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """``(n,)`` winners of binary tournaments, as places in ``ranked``: rank, then merit within a niche."""
    pair = rng.integers(len(ranked.order), size=(2, n))
    rank, merit = ranked.rank[pair], ranked.merit[pair]
    draw = rng.random(n) < 0.5
    # U-NSGA-III compares feasible rows only within a niche; under NSGA-II there is one niche.
    same = (ranked.niche[pair[0]] == ranked.niche[pair[1]]) | (pair >= ranked.feasible).any(axis=0)
    better = (rank[1] < rank[0]) | ((rank[1] == rank[0]) & (merit[1] > merit[0]))
    worse = (rank[1] > rank[0]) | ((rank[1] == rank[0]) & (merit[1] < merit[0]))
    second = np.where(same & (better | worse), better, draw)
    winners: NDArray[np.intp] = np.where(second, pair[1], pair[0])
    return winners


def mates(costs: Costs, parents: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """A mate for each parent from its neighbourhood along the last objective.

    Subnets of like cost share much (the resolution above all); crossing distant ones mostly gives
    rows that belong to neither region.
    """
    along = np.argsort(costs[:, -1], kind="stable")
    place = np.empty(len(along), dtype=np.intp)
    place[along] = np.arange(len(along))
    step = np.rint(rng.normal(0.0, NEIGHBOURHOOD * len(along), size=len(parents))).astype(np.intp)
    found: NDArray[np.intp] = along[np.clip(place[parents] + step, 0, len(along) - 1)]
    return found
