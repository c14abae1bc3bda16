"""Race: the values of subnets, most of which are shown a part of the samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hwnas.errors import DataError, SpaceError
from hwnas.search.expensive._acquisition import ExpectedImprovement, OneByOne, one_by_one, reference_beyond
from hwnas.search.expensive._fit import gaussian_process
from hwnas.search.problem._pareto import hypervolume, non_dominated
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._seen import Values
from hwnas.search.race._margins import Bools, Floats, Margins, most_informative
from hwnas.space import Population

FIRST = 12
"""Subnets that are shown everything, small ones to large ones: others are mixtures of them."""

NEAREST = 3
"""Of those that were shown everything: a new subnet is taken to be like these, which cost about the same."""

SHARES = (0.03, 0.06, 0.1)
"""Of the samples, that every later subnet is shown: what the first tell of it decides which ones it is shown next."""

TOLERANCE = 0.002
"""Of the front's hypervolume: what those who have not seen everything may be expected to add, all together."""

WAVE = 0.5
"""Of what all together are expected to add: the share of it that those make up who are shown everything at once."""

FEWEST_SAMPLES = 200
"""Shares of fewer tell nothing."""


Ask = Callable[[Population, NDArray[np.intp], int], Sequence[NDArray[np.floating[Any]] | None]]
"""Shows ``(k, s)`` samples to ``(k, g)`` rows, each its own, which were shown so many before: ``(s,)`` margins of each,
positive where it tells a sample right, or None of a subnet that fails."""


@dataclass
class Entrant:
    """A subnet in a race.

    Attributes:
        row: its row.
        others: ``(m - 1,)`` costs that are known.
        allowed: whether it keeps the budgets on what is known.
        margins: ``(n,)``, for those samples that it was shown.
        shown: ``(n,)`` which ones.
        chance: ``(n,)`` that it classifies each sample correctly, as expected.
        total: how many of all samples it classifies correctly: exact if it was shown all, else expected, with standard
            deviation ``std``.
        is_out: whether it was not shown everything in the end.
        has_failed: whether its evaluation failed, so that it has no value.
    """

    row: Population
    others: Floats
    allowed: bool
    margins: Floats
    shown: Bools
    chance: Floats
    total: float = 0.0
    std: float = math.inf
    is_out: bool = False
    has_failed: bool = False

    @property
    def n_shown(self) -> int:
        """How many samples it was shown."""
        return int(self.shown.sum())


class Race:
    """Judges subnets on growing shares of the samples, the most informative ones first.

    The first subnets are shown everything, and tell how subnets err (:class:`Margins`). Each later one is shown those
    samples first of which it is least sure whether they are told right: at first by subnets that cost about the same,
    then by its own margins. The value of a subnet that was not shown everything is what the model expects of it, by all that
    is known by now.

    What counts in the end is the accuracy on other samples. Of that a value errs by the choice of the samples, whether all of
    them were shown or not, and what is expected of it is told by all values (:func:`gaussian_process`, which is told of
    :meth:`errors`). So a tenth of the samples serves the search nearly as well as all of them. At its end (:meth:`close`)
    those are shown everything that are expected to add to the front.

    What happens depends on the rows asked about and on their margins, and on nothing else.

    Args:
        problem: has one slow metric, which is an objective: the percentage of samples that are told right.
        ask: shows samples to subnets, and returns their margins.
        n_samples: how many there are.
        tolerance: how much of the front's hypervolume may be missed, as expected; with 0 everybody is shown everything.
        seed: of the order among samples that tell as much.

    Raises:
        SpaceError: a tolerance that is none, or another problem.
    """

    def __init__(self, problem: Problem, ask: Ask, n_samples: int, tolerance: float = TOLERANCE, seed: int = 0) -> None:
        if n_samples < FEWEST_SAMPLES:
            rule = f"{n_samples} samples are too few for shares of them to tell anything"
            raise DataError("racing", rule, f"measure on {FEWEST_SAMPLES} or more, or drop --racing")
        if not 0 <= tolerance < 1:
            raise SpaceError(
                f"racing {tolerance:g}", "a share of the hypervolume is at least 0 and below 1", "pass 0.002, say"
            )
        (slow,) = problem.slow
        (self._raced,) = (i for i, o in enumerate(problem.objectives) if o.name == slow and o.maximise)
        if any(c.name == slow and c.upper < math.inf for c in problem.constraints):
            raise SpaceError(f"racing with {slow} <= ...", "what is better may break it", "drop one of the two")
        self.problem = problem
        self.n_samples = n_samples
        self._ask = ask
        self._tolerance = tolerance
        self._entrants: dict[bytes, Entrant] = {}
        self._whole: list[Entrant] = []
        self._ties: NDArray[np.intp] = np.random.default_rng(seed).permutation(n_samples)
        self._model: Margins | None = None
        self._n_learned_from = 0

    @property
    def entrants(self) -> list[Entrant]:
        """In the order in which they came."""
        return list(self._entrants.values())

    def of(self, x: NDArray[Any]) -> list[Entrant]:
        """The entrants of ``(n, g)`` rows that have raced."""
        return [self._entrants[row.tobytes()] for row in x]

    def values(self, x: NDArray[Any]) -> Floats:
        """``(n,)`` percent of rows that have raced, exact or expected."""
        return 100 * np.array([e.total for e in self.of(x)]) / self.n_samples

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
        for entrant in racing:
            entrant.chance = self._chance_of_like(entrant)
        for share in SHARES:
            self._show(racing, math.ceil(share * self.n_samples))
            racing = [e for e in racing if e.allowed and not e.has_failed]

    def close(self) -> None:
        """Show everything to the subnets that may be on the front, the most promising first, until the others are expected to add
        next to nothing. Each wave is expected anew, since those that saw everything tell more about the others.
        """
        while racing := [e for e in self.entrants if e.allowed and not e.has_failed and e.n_shown < self.n_samples]:
            self._learn()
            wave = self._most_promising(racing) if self._tolerance else racing
            if not wave:
                break
            self._show(wave, self.n_samples)
        for entrant in self.entrants:
            entrant.is_out = entrant.n_shown < self.n_samples and not entrant.has_failed

    def _most_promising(self, racing: Sequence[Entrant]) -> list[Entrant]:
        """The subnets that make up a share of the hypervolume that all together are expected to add; none if all of it is
        within the tolerance.

        Of many that are about as good, each may add much, but all of them hardly more than one: gains count one by one,
        each beside those before it.
        """
        known = [e for e in self._whole if e.allowed]
        mean, movable = self._expected([*known, *racing])
        costs = np.column_stack([-mean, [e.others for e in (*known, *racing)]])
        std = np.zeros_like(costs[len(known) :])
        std[:, 0] = movable[len(known) :]
        expected = costs[non_dominated(costs)]
        worst, best = expected.max(axis=0), expected.min(axis=0)
        reference = reference_beyond(worst, np.where(worst > best, worst - best, costs.max(axis=0) - best))
        front = costs[: len(known)]
        ideal = (costs[len(known) :] - 2 * std).min(axis=0)
        improvement = ExpectedImprovement(reference, np.minimum(best, ideal), front[non_dominated(front)])
        in_turn = one_by_one(OneByOne(improvement, costs[len(known) :], std), np.ones(len(racing)))
        tolerated = self._tolerance * hypervolume(expected, reference.tolist())
        some = list(takewhile(lambda found: found[1] > tolerated / len(racing), in_turn))
        total = np.cumsum([gain for _, gain in some])
        if not some or total[-1] <= tolerated:
            return []
        return [racing[i] for i, _ in some[: int((total < WAVE * total[-1]).sum()) + 1]]

    def errors(self, x: NDArray[Any]) -> Floats:
        """``(n,)`` standard deviations of the values of rows that have raced, in points: by the choice of samples, and by those of
        them that were not shown."""
        unshown = 100 / self.n_samples * np.array([0.0 if e.has_failed else e.std for e in self.of(x)])
        return np.hypot(self._sampling_errors(x), unshown)

    def _sampling_errors(self, x: NDArray[Any]) -> Floats:
        from hwnas.task import share_errors  # tasks load torch, of which other searches have no need

        return share_errors(self.values(x), self.n_samples)

    def _expected(self, entrants: Sequence[Entrant]) -> tuple[Floats, Floats]:
        """``(n,)`` values expected on other samples, and the standard deviations of what the samples that were not shown would
        add to these.

        A normal belief of variance v moves by v / sqrt(v + r) where it is told a value with an error of variance r (Frazier et al.
        2009, "The Knowledge-Gradient Policy for Correlated Normal Beliefs", doi:10.1287/ijoc.1080.0314).
        """
        known = [e for e in self.entrants if e.n_shown and not e.has_failed]
        rows = np.stack([e.row for e in known])
        model = gaussian_process(self.problem.space, self.errors)(rows, self.values(rows))
        rows = np.stack([e.row for e in entrants])
        precision = 1 / self._sampling_errors(rows) ** 2 - 1 / self.errors(rows) ** 2  # of the samples not shown
        variance = model.predict_std(rows) ** 2
        return model.predict(rows), variance * np.sqrt(precision / (1 + variance * precision))

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
        margins, chance = np.zeros((2, len(rows), self.n_samples))
        shown = np.zeros(margins.shape, dtype=bool)
        return [Entrant(*of) for of in zip(rows, others, excess <= 0, margins, shown, chance, strict=True)]

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
        """Learn how subnets err from those that were shown everything, and update what is expected of the others."""
        if len(self._whole) > self._n_learned_from:
            self._n_learned_from = len(self._whole)
            self._model = Margins.of(np.stack([e.margins for e in self._whole]))
            self._expect([e for e in self.entrants if 0 < e.n_shown < self.n_samples])

    def _chance_of_like(self, entrant: Entrant) -> Floats:
        """What an entrant may classify correctly, by those that were shown everything and cost about the same."""
        assert self._model is not None
        others = np.stack([e.others for e in self._whole[: self._n_learned_from]])
        span = np.ptp(others, axis=0)
        distance = (np.abs(others - entrant.others) / np.where(span > 0, span, 1)).sum(axis=1)
        return self._model.chance_of_like(np.argsort(distance, kind="stable")[:NEAREST])

    def _show(self, racing: Sequence[Entrant], until: int) -> None:
        """Show samples to entrants that were shown as many before, until each was shown so many."""
        if not racing:
            return
        start = racing[0].n_shown
        samples = np.stack([self._next_samples(e, until - start) for e in racing])
        told = self._ask(np.stack([e.row for e in racing]), samples, start)
        for entrant, places, margins in zip(racing, samples, told, strict=True):
            if margins is None:
                entrant.has_failed = True
                continue
            entrant.margins[places] = margins
            entrant.shown[places] = True
            if until == self.n_samples:
                entrant.total, entrant.std = float((entrant.margins > 0).sum()), 0.0
                self._whole.append(entrant)
        if until < self.n_samples:
            self._expect([e for e in racing if not e.has_failed])

    def _next_samples(self, entrant: Entrant, n: int) -> NDArray[np.intp]:
        """``(n,)`` samples that it was not shown, which tell most about it; all that are left in their own order."""
        hidden = np.flatnonzero(~entrant.shown)
        if n == len(hidden):
            return hidden
        order = most_informative(entrant.chance, self._ties)
        return order[~entrant.shown[order]][:n]

    def _expect(self, entrants: Sequence[Entrant]) -> None:
        """Update what is expected of entrants that were not shown everything."""
        with threadpool_limits(1, user_api="blas"):  # the last digits differ with the number of threads
            for entrant in entrants:
                assert self._model is not None
                expected = self._model.expected(entrant.margins, entrant.shown)
                entrant.total, entrant.std, entrant.chance = expected.total, expected.std, expected.chance
