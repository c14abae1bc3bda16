"""Race: evaluate most subnets on a part of the samples, and only the promising ones on all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hwnas.arguments import as_typed
from hwnas.errors import DataError, SpaceError
from hwnas.search.expensive._acquisition import ExpectedImprovement, IndependentGain, greedily
from hwnas.search.expensive._fit import gaussian_process
from hwnas.search.problem._pareto import hypervolume, non_dominated, reference_beyond
from hwnas.search.problem._problem import Problem
from hwnas.search.race._margins import Bools, Floats, Margins, most_informative
from hwnas.space import Population

FIRST = 12
"""Subnets, from small to large, that are evaluated on all samples first. They are the mixture that models all others."""

NEAREST = 3
"""Complete subnets of about the same cost. Before its first sample, a new subnet is expected to be like these."""

SHARES = (0.03, 0.06, 0.1)
"""Shares of the samples that every later subnet is shown, step by step. Each step chooses the samples of the next."""

TOLERANCE = 0.002
"""Share of the front's hypervolume that all incomplete subnets together may be expected to add at the end."""

WAVE = 0.5
"""A wave completes the subnets that make up this share of the expected joint gain."""

FEWEST_SAMPLES = 200
"""Shares of fewer samples say nothing about a subnet."""


Ask = Callable[[Population, NDArray[np.intp], int], Sequence[NDArray[np.floating[Any]] | None]]
"""Shows samples to subnets: ``(k, g)`` rows, ``(k, s)`` samples, one line per row, and how many samples each row has seen
before. Returns ``(s,)`` margins per row, positive where the subnet is right, or None for a subnet that fails."""


@dataclass
class Entrant:
    """A subnet in a race.

    Attributes:
        row: ``(g,)`` canonical row.
        others: ``(m - 1,)`` costs other than the raced one.
        allowed: whether it keeps the budgets on known metrics.
        margins: ``(n,)`` margins, valid where ``shown``.
        shown: ``(n,)`` samples that it was shown.
        chance: ``(n,)`` probability that it classifies each sample correctly.
        total: number of samples that it classifies correctly: exact if it was shown all, otherwise expected.
        std: standard deviation of ``total``.
        is_out: whether the race ended before it was shown all samples.
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
    """Evaluates subnets on growing shares of the samples, the most informative samples first.

    The first subnets are shown all samples, which teaches how subnets err (:class:`Margins`). Each later subnet is shown
    the samples whose outcome is least certain: at first by the margins of subnets that cost about the same, then by its
    own. The value of an incomplete subnet is its expectation under the model, given everything known by now.

    What matters in the end is accuracy on new samples. The choice of samples makes every measured value err, complete or
    not, so the search predicts accuracy from all values and their :meth:`errors` (:func:`gaussian_process`). A tenth of
    the samples then serves it nearly as well as all of them. At the end, :meth:`close` completes the subnets that are
    expected to add to the front.

    The race depends only on the rows and their margins.

    Args:
        problem: has one slow metric, which is an objective: the percentage of samples classified correctly.
        ask: shows samples to subnets, and returns their margins.
        n_samples: number of samples.
        tolerance: share of the front's hypervolume that may be missed in expectation; with 0 all subnets are completed.
        seed: of the order among equally informative samples.

    Raises:
        DataError: there are fewer than ``FEWEST_SAMPLES`` samples.
        SpaceError: the tolerance is out of range, or an upper budget is on the raced metric.
    """

    def __init__(self, problem: Problem, ask: Ask, n_samples: int, tolerance: float = TOLERANCE, seed: int = 0) -> None:
        if n_samples < FEWEST_SAMPLES:
            rule = f"{n_samples} samples are too few to be shown in shares"
            raise DataError("racing", rule, f"measure on {FEWEST_SAMPLES} or more, or drop --racing")
        given: Any = tolerance
        if not (isinstance(given, Real) and 0 <= float(given) < 1):
            rule = "a share of the hypervolume is at least 0 and below 1"
            raise SpaceError(f"racing {as_typed(tolerance)}", rule, f"pass {TOLERANCE:g}, say")
        (slow,) = problem.slow
        (self._raced,) = (i for i, o in enumerate(problem.objectives) if o.name == slow and o.maximise)
        if any(c.name == slow and c.upper < math.inf for c in problem.constraints):
            raise SpaceError(
                f"racing with {slow} <= ...", "a better subnet may break that budget", "drop one of the two"
            )
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
        """All entrants, in the order in which they came."""
        return list(self._entrants.values())

    def of(self, x: NDArray[Any]) -> list[Entrant]:
        """The entrants of ``(n, g)`` rows, which must have raced."""
        return [self._entrants[row.tobytes()] for row in x]

    def values(self, x: NDArray[Any]) -> Floats:
        """``(n,)`` values of rows that have raced, in percent, exact or expected."""
        return 100 * np.array([e.total for e in self.of(x)]) / self.n_samples

    def __call__(self, x: NDArray[Any]) -> None:
        """Let those of ``(n, g)`` canonical rows race that have not raced yet."""
        fresh = {row.tobytes(): row for row in x if row.tobytes() not in self._entrants}
        if not fresh:
            return
        new = self._entrants_of(np.stack(list(fresh.values())))
        self._entrants |= dict(zip(fresh, new, strict=True))
        racing = self._without_first(new)
        if not racing:
            return
        self._learn()
        for entrant in racing:
            entrant.chance = self._chance_of_like(entrant)
        for share in SHARES:
            self._show(racing, math.ceil(share * self.n_samples))
            racing = [e for e in racing if e.allowed and not e.has_failed]

    def close(self) -> None:
        """Complete the most promising subnets, wave by wave, until the rest is expected to add less than the tolerance.

        Expectations are updated before each wave, since complete subnets teach more about the others.
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
        """The next wave: subnets that make up the share ``WAVE`` of the expected joint gain; none if that gain is within the
        tolerance.

        Several similar subnets may each promise much, yet add hardly more together than one. So each gain is counted on
        top of the subnets before it.
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
        in_turn = greedily(IndependentGain(improvement, costs[len(known) :], std), np.ones(len(racing)))
        tolerated = self._tolerance * hypervolume(expected, reference)
        some = list(takewhile(lambda found: found[1] > tolerated / len(racing), in_turn))
        total = np.cumsum([gain for _, gain in some])
        if not some or total[-1] <= tolerated:
            return []
        return [racing[i] for i, _ in some[: int((total < WAVE * total[-1]).sum()) + 1]]

    def errors(self, x: NDArray[Any]) -> Floats:
        """``(n,)`` standard deviations of the values of rows that have raced, in percentage points.

        They cover the choice of the samples and, for incomplete subnets, the samples that were not shown.
        """
        unshown = 100 / self.n_samples * np.array([0.0 if e.has_failed else e.std for e in self.of(x)])
        return np.hypot(self._sampling_errors(x), unshown)

    def _sampling_errors(self, x: NDArray[Any]) -> Floats:
        from hwnas.task import share_errors  # tasks load torch, which other searches do not need

        return share_errors(self.values(x), self.n_samples)

    def _expected(self, entrants: Sequence[Entrant]) -> tuple[Floats, Floats]:
        """``(n,)`` values expected on new samples, and the standard deviations by which these would change if the remaining
        samples were shown.

        An observation with error variance r changes a normal belief of variance v with standard deviation v / sqrt(v + r)
        (Frazier et al. 2009, "The Knowledge-Gradient Policy for Correlated Normal Beliefs", doi:10.1287/ijoc.1080.0314).
        """
        known = [e for e in self.entrants if e.n_shown and not e.has_failed]
        rows = np.stack([e.row for e in known])
        model = gaussian_process(self.problem.space, self.errors)(rows, self.values(rows))
        rows = np.stack([e.row for e in entrants])
        precision = 1 / self._sampling_errors(rows) ** 2 - 1 / self.errors(rows) ** 2  # of the samples not yet shown
        variance = model.predict_std(rows) ** 2
        return model.predict(rows), variance * np.sqrt(precision / (1 + variance * precision))

    def _entrants_of(self, rows: Population) -> list[Entrant]:
        known = self.problem.evaluate_known(rows)
        costs = self.problem.costs(known | {name: np.zeros(len(rows)) for name in self.problem.slow})
        excess = np.zeros(len(rows))
        for constraint in self.problem.constraints:
            if constraint.name in known:
                excess += constraint.excess(known[constraint.name])
        others = np.delete(costs, self._raced, axis=1)
        margins, chance = np.zeros((2, len(rows), self.n_samples))
        shown = np.zeros(margins.shape, dtype=bool)
        return [Entrant(*of) for of in zip(rows, others, excess <= 0, margins, shown, chance, strict=True)]

    def _without_first(self, new: list[Entrant]) -> list[Entrant]:
        """Complete new entrants, small to large, until ``FIRST`` are complete; returns the others."""
        left = new
        while left and len(self._whole) < FIRST:
            by_size = sorted(left, key=lambda e: (*e.others.tolist(), *e.row.tolist()))
            places = np.linspace(0, len(left) - 1, min(FIRST - len(self._whole), len(left))).round().astype(int)
            first = [by_size[i] for i in places]
            left = [e for e in left if not any(e is f for f in first)]
            self._show(first, self.n_samples)
        return left

    def _learn(self) -> None:
        """Fit the model to the complete subnets, and update the expectations of the others."""
        if len(self._whole) > self._n_learned_from:
            self._n_learned_from = len(self._whole)
            self._model = Margins.of(np.stack([e.margins for e in self._whole]))
            self._expect([e for e in self.entrants if 0 < e.n_shown < self.n_samples])

    def _chance_of_like(self, entrant: Entrant) -> Floats:
        """``(n,)`` chances of a new entrant, by complete subnets that cost about the same."""
        assert self._model is not None
        others = np.stack([e.others for e in self._whole[: self._n_learned_from]])
        span = np.ptp(others, axis=0)
        distance = (np.abs(others - entrant.others) / np.where(span > 0, span, 1)).sum(axis=1)
        return self._model.chance_of_like(np.argsort(distance, kind="stable")[:NEAREST])

    def _show(self, racing: Sequence[Entrant], until: int) -> None:
        """Show more samples to entrants, all of which have seen equally many, until each has seen ``until``."""
        if not racing:
            return
        start = racing[0].n_shown
        samples = np.stack([self._next_samples(e, until - start) for e in racing])
        answers = self._ask(np.stack([e.row for e in racing]), samples, start)
        for entrant, places, margins in zip(racing, samples, answers, strict=True):
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
        """``(n,)`` most informative samples that it was not shown; if n are all that are left, in their own order."""
        hidden = np.flatnonzero(~entrant.shown)
        if n == len(hidden):
            return hidden
        order = most_informative(entrant.chance, self._ties)
        return order[~entrant.shown[order]][:n]

    def _expect(self, entrants: Sequence[Entrant]) -> None:
        """Update the expectations of incomplete entrants."""
        with threadpool_limits(1, user_api="blas"):  # the last digits differ with the number of threads
            for entrant in entrants:
                assert self._model is not None
                expected = self._model.expected(entrant.margins, entrant.shown)
                entrant.total, entrant.std, entrant.chance = expected.total, expected.std, expected.chance
