"""The worth of fronts on samples that no search saw, with bootstrap intervals over the choice of these samples.

The best accuracies of a front are partly luck, and a front of many subnets has more luck than one of few. So a front is judged in
two ways: by its hypervolume, and by the accuracies that a user gets who takes, for each budget of latency, the subnet with the
highest expected accuracy. The bootstrap (Efron 1979) draws the same samples for all subnets, so that it applies to differences
between fronts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search import hypervolume

DRAWS = 400


@dataclass(frozen=True)
class Front:
    """Subnets that a search found.

    Attributes:
        right: ``(k, n)``: whether each subnet classifies each sample correctly.
        expected: ``(k,)`` accuracies in percent that the search expected.
        costs: ``(k, m)``, to be minimised; the first is latency.
    """

    right: NDArray[np.bool_]
    expected: NDArray[np.float64]
    costs: NDArray[np.float64]

    def accuracies(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(k,)`` accuracies in percent over weighted samples."""
        share: NDArray[np.float64] = self.right @ weights / weights.sum()
        return 100 * share


@dataclass(frozen=True)
class Corner:
    """The reference point of the hypervolume: a tenth of the range of all fronts beyond their worst values."""

    accuracy: float
    costs: tuple[float, ...]

    @classmethod
    def of(cls, fronts: Sequence[Front]) -> Corner:
        """The reference point for fronts that are compared."""
        accuracies = np.concatenate([100 * f.right.mean(axis=1) for f in fronts])
        costs = np.concatenate([f.costs for f in fronts])
        worst = costs.max(axis=0) + 0.1 * np.ptp(costs, axis=0)
        return cls(accuracies.min() - 0.1 * np.ptp(accuracies), tuple(worst.tolist()))

    def volume(self, front: Front, accuracies: NDArray[np.float64]) -> float:
        """The hypervolume of accuracies and costs."""
        directions = [True] + [False] * len(self.costs)
        return hypervolume(np.column_stack([accuracies, front.costs]), [self.accuracy, *self.costs], directions)

    def by_choice(self, front: Front, accuracies: NDArray[np.float64]) -> float:
        """The area, over budgets of latency, under the accuracy of the subnet with the highest expected accuracy."""
        along = np.argsort(front.costs[:, 0], kind="stable")
        latencies = np.append(front.costs[along, 0], self.costs[0])
        taken, area = along[0], 0.0
        for row, begin, end in zip(along, latencies[:-1], latencies[1:], strict=True):
            if front.expected[row] >= front.expected[taken]:
                taken = row
            area += (end - begin) * (accuracies[taken] - self.accuracy)
        return float(area)


def shares(ours: Sequence[Front], theirs: Sequence[Front], corner: Corner, *, chosen: bool) -> NDArray[np.float64]:
    """``(1 + draws, seeds)`` worth of our fronts in percent of theirs: on all samples, then on bootstrap samples.

    Args:
        ours: one front per seed.
        theirs: fronts of the same seeds on the same samples.
        corner: of all fronts that are compared.
        chosen: use `Corner.by_choice` instead of the hypervolume.
    """
    n = ours[0].right.shape[1]
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    worth = corner.by_choice if chosen else corner.volume
    return np.array(
        [
            [
                100 * worth(own, own.accuracies(w)) / worth(other, other.accuracies(w))
                for own, other in zip(ours, theirs, strict=True)
            ]
            for w in [np.ones(n), *weights.astype(np.float64)]
        ]
    )


def summary(found: NDArray[np.float64]) -> str:
    """The mean over seeds, its bootstrap interval of 90 %, and the value of each seed."""
    low, high = np.quantile(found[1:].mean(axis=1), [0.05, 0.95])
    return f"{found[0].mean():6.1f}  ({low:.1f} to {high:.1f})   {'  '.join(f'{s:.1f}' for s in found[0])}"
