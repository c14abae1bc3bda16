"""Race: the values of subnets, most of which are shown a part of the samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError, SpaceError
from hwnas.search.expensive._acquisition import ExpectedImprovement
from hwnas.search.problem._pareto import hypervolume, non_dominated
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchResult
from hwnas.search.problem._seen import Values
from hwnas.search.race._items import Bools, Floats, Items
from hwnas.space import Population

FIRST = 8
"""Subnets that are shown everything, small ones to large ones: they tell how hard each sample is."""

SHARES = (0.05, 0.1, 0.2, 0.3)
"""Of the samples, after which those stop that are behind at the confidence asked for; who gets through waits for the end of the search."""

STEPS = (*SHARES, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the samples, at the end of the search."""

TOLERANCE = 0.002
"""Of the front's hypervolume: what those who have not seen everything may be expected to add, all together."""

CONFIDENCE = 0.8
"""That a subnet is behind, for it to stop."""

FEWEST_SAMPLES = 200
"""Shares of fewer tell nothing."""


Ask = Callable[[Population, NDArray[np.intp], int], Sequence[Bools | None]]
"""Shows ``(s,)`` samples to ``(k, g)`` rows, which were shown so many before: ``(s,)`` whether each told them right, or None
of a subnet that fails."""


@dataclass
class Entrant:
    """A subnet in a race.

    Attributes:
        row: its row.
        others: ``(m - 1,)`` costs that are known.
        allowed: whether it keeps the budgets on what is known.
        right: ``(n,)`` whether it classified each sample correctly, for those that it was shown.
        n_shown: how many samples it was shown, in the order of the race.
        total: how many of all samples it classifies correctly: exact if it was shown all, else expected, with standard
            deviation ``std``.
        is_out: whether it was stopped.
        has_failed: whether its evaluation failed, so that it has no value.
    """

    row: Population
    others: Floats
    allowed: bool
    right: Bools
    n_shown: int = 0
    total: float = 0.0
    std: float = math.inf
    is_out: bool = False
    has_failed: bool = False


class Race:
    """Judges subnets on growing shares of the samples, the most informative ones first.

    The first subnets are shown everything, and tell how hard each sample is (:class:`Items`). A later one is stopped as
    soon as another subnet that is no worse in the known costs (MACs, a table's latency) is better in the measured
    metric, at the confidence. The rest is shown at the end (:meth:`close`), to those that may be on the front. The
    value of a subnet that was not shown everything is what the model expects of it: exact values and expected ones are
    compared without bias that way, and their error is small beside that of a predictor that is fitted to them.

    What happens depends on the rows asked about and on the answers, and on nothing else.

    Args:
        problem: has one slow metric, which is an objective: the percentage of samples that are told right.
        ask: shows samples to subnets, and returns their answers.
        n_samples: how many there are.
        confidence: that a subnet is behind, for it to stop; with 1 none ever does.
        seed: of the order among samples that tell as much.

    Raises:
        SpaceError: a confidence that is none, or another problem.
    """

    def __init__(
        self, problem: Problem, ask: Ask, n_samples: int, confidence: float = CONFIDENCE, seed: int = 0
    ) -> None:
        if n_samples < FEWEST_SAMPLES:
            rule = f"{n_samples} samples are too few for shares of them to tell anything"
            raise DataError("--racing", rule, f"measure on {FEWEST_SAMPLES} or more, or drop it")
        if not 0.5 < confidence <= 1:
            raise SpaceError(f"racing {confidence:g}", "a confidence is above 0.5 and at most 1", "pass 0.9, say")
        (slow,) = problem.slow
        (self._raced,) = (i for i, o in enumerate(problem.objectives) if o.name == slow and o.maximise)
        if any(c.name == slow and c.upper < math.inf for c in problem.constraints):
            raise SpaceError(f"racing with {slow} <= ...", "what is better may break it", "drop one of the two")
        self.problem = problem
        self.n_samples = n_samples
        self._ask = ask
        self._deviations = NormalDist().inv_cdf(confidence) if confidence < 1 else math.inf
        self._seed = seed
        self._entrants: dict[bytes, Entrant] = {}
        self._whole: list[Entrant] = []
        self._waiting: list[Entrant] = []
        self._order: NDArray[np.intp] = np.arange(n_samples)
        self._items: Items | None = None
        self._n_learned_from = 0

    @property
    def entrants(self) -> list[Entrant]:
        """In the order in which they came."""
        return list(self._entrants.values())

    def of(self, x: NDArray[Any]) -> list[Entrant]:
        """The entrants of ``(n, g)`` rows that have raced."""
        return [self._entrants[row.tobytes()] for row in x]

    def value(self, entrant: Entrant) -> float:
        """In percent, exact or expected."""
        return 100 * entrant.total / self.n_samples

    def __call__(self, x: NDArray[Any]) -> None:
        """Let ``(n, g)`` canonical rows race, as far as they have not yet."""
        fresh = {row.tobytes(): row for row in x if row.tobytes() not in self._entrants}
        if not fresh:
            return
        new = self._entrants_of(np.stack(list(fresh.values())))
        self._entrants |= dict(zip(fresh, new, strict=True))
        racing = self._pace_made(new)
        if not racing:
            return
        self._learn()
        for share in SHARES:
            self._show(racing, math.ceil(share * self.n_samples))
            racing = self._still_in(racing, [*self._whole, *self._waiting])
        self._waiting += racing

    def close(self) -> None:
        """Show more samples to the subnets that may be on the front, the most promising first, until the others are
        expected to add next to nothing.

        A stopped subnet may come back, since its expected value is known better by now.
        """
        while racing := [e for e in self.entrants if e.allowed and not e.has_failed and e.n_shown < self.n_samples]:
            self._learn()
            for entrant in racing:
                self._expect(entrant)
            wave = racing if self._deviations == math.inf else self._most_promising(racing)
            if not wave:
                break
            for n_shown in sorted({e.n_shown for e in wave}):
                until = next(n for share in STEPS if (n := math.ceil(share * self.n_samples)) > n_shown)
                self._show([e for e in wave if e.n_shown == n_shown], until)
        for entrant in self.entrants:
            entrant.is_out = entrant.n_shown < self.n_samples and not entrant.has_failed

    def _most_promising(self, racing: Sequence[Entrant]) -> list[Entrant]:
        """The subnets that make up half of the hypervolume that all are expected to add; none if all of it is within
        the tolerance."""
        known = [e for e in self._whole if e.allowed]
        costs = np.array([[-e.total, *e.others] for e in (*known, *racing)])
        std = np.zeros_like(costs[len(known) :])
        std[:, 0] = [e.std for e in racing]
        expected = costs[non_dominated(costs)]
        worst, best = expected.max(axis=0), expected.min(axis=0)
        reference = worst + 0.1 * np.where(worst > best, worst - best, costs.max(axis=0) - best) + 1e-12
        front = costs[: len(known)]
        ideal = (costs[len(known) :] - 2 * std).min(axis=0)
        gain = ExpectedImprovement(reference, np.minimum(best, ideal), front[non_dominated(front)])
        gains = gain(costs[len(known) :], std) / hypervolume(expected, reference.tolist())
        order = np.argsort(-gains, kind="stable")
        total = np.cumsum(gains[order])
        if total[-1] <= TOLERANCE:
            return []
        return [racing[i] for i in order[: int((total < total[-1] / 2).sum()) + 1]]

    def front(self) -> tuple[Population, Values]:
        """``(n, g)`` rows of the front of those that were shown everything, best first, and ``(n,)`` of every metric.

        Raises:
            InfeasibleError: none of them meets all budgets.
        """
        pool, rows = Pool(self.problem), np.stack([e.row for e in self._whole])
        (slow,) = self.problem.slow
        pool.add(rows, self._known(rows) | {slow: np.array([self.value(e) for e in self._whole])})
        found = SearchResult.of(pool, "race", self._seed, len(rows), ())
        return found.x, found.values

    def _known(self, rows: Population) -> Values:
        return {name: np.asarray(fn(rows), dtype=np.float64) for name, fn in self.problem.known.items()}

    def _entrants_of(self, rows: Population) -> list[Entrant]:
        known = self._known(rows)
        costs = self.problem.costs(known | {name: np.zeros(len(rows)) for name in self.problem.slow})
        excess = np.zeros(len(rows))
        for constraint in self.problem.constraints:
            if constraint.name in known:
                excess += constraint.excess(known[constraint.name])
        others = np.delete(costs, self._raced, axis=1)
        nothing = np.zeros((len(rows), self.n_samples), dtype=bool)
        return [Entrant(*of) for of in zip(rows, others, excess <= 0, nothing, strict=True)]

    def _pace_made(self, new: list[Entrant]) -> list[Entrant]:
        """Show everything to as many as are needed first, small ones to large ones; returns those that are left."""
        left = new
        while left and len(self._whole) < FIRST:
            by_size = sorted(left, key=lambda e: (*e.others.tolist(), *e.row.tolist()))
            places = np.linspace(0, len(left) - 1, min(FIRST - len(self._whole), len(left))).round().astype(int)
            first = [by_size[i] for i in places]
            left = [e for e in left if not any(e is f for f in first)]
            self._show(first, self.n_samples)
        return left

    def _learn(self) -> None:
        """Learn how hard samples are from the subnets that were shown everything, and update what is expected of the
        others."""
        is_first = self._items is None
        if len(self._whole) > self._n_learned_from:
            self._n_learned_from = len(self._whole)
            self._items = Items.of(np.stack([e.right for e in self._whole]))
        if is_first and self._items is not None:
            self._order = self._items.order(self._seed)
        for entrant in self._waiting:
            self._expect(entrant)

    def _show(self, racing: Sequence[Entrant], until: int) -> None:
        """Show samples up to this place of the order, to entrants that were shown as many before."""
        if not racing:
            return
        start = racing[0].n_shown
        samples = self._order[start:until]
        answers = self._ask(np.stack([e.row for e in racing]), samples, start)
        for entrant, right in zip(racing, answers, strict=True):
            if right is None:
                entrant.has_failed = True
                continue
            entrant.right[samples] = right
            entrant.n_shown = until
            if until < self.n_samples:
                self._expect(entrant)
            else:
                entrant.total, entrant.std = float(entrant.right.sum()), 0.0
                self._whole.append(entrant)

    def _expect(self, entrant: Entrant) -> None:
        assert self._items is not None
        shown = self._order[: entrant.n_shown]
        entrant.total, entrant.std = self._items.total(entrant.right[shown], shown)

    def _still_in(self, racing: Sequence[Entrant], settled: Sequence[Entrant]) -> list[Entrant]:
        """The entrants that no other one is surely ahead of."""
        racing = [e for e in racing if not e.has_failed]
        rivals = [e for e in (*settled, *racing) if e.allowed]
        others, total, std = (np.array([getattr(e, name) for e in rivals]) for name in ("others", "total", "std"))
        for entrant in racing:
            no_worse = (others <= entrant.others).all(axis=-1)
            ahead = total - entrant.total > self._deviations * np.hypot(std, entrant.std)
            entrant.is_out = not entrant.allowed or bool((no_worse & ahead).any())
        return [e for e in racing if not e.is_out]
