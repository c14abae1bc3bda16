"""How far subnets are from misclassifying samples, and how many of those that it was not shown one would classify correctly.

The margin of a subnet on a sample is the logit of the sample's class less the largest other one: positive if the subnet is
right, and the larger, the less it takes to be so. Subnets of one supernet err alike: the margins of a new one are
taken to be those of a mixture of subnets that were shown everything, with an error of its own on each sample. So all
margins are jointly normal, and those that a subnet was shown tell of the others by Gaussian conditioning (Rasmussen and
Williams 2006, "Gaussian Processes for Machine Learning", appendix A.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OWN = 3.0
"""Variance of a new subnet's own error, over the number of subnets that were shown everything, as a share of the
sample's variance among these: the more there are, the more alike is their mixture."""

WIDEST = 2.0
"""Margins count up to so many times their median size, so that a broken subnet does not drown the others."""

_TO_LOGISTIC = 1.702
"""The normal distribution is about the logistic one of so many times the argument, whose tails are longer: subnets now
and then misclassify what is easy."""


@dataclass(frozen=True)
class Expected:
    """What is expected of a subnet.

    Attributes:
        total: how many of all samples it classifies correctly.
        std: the standard deviation of that.
        chance: ``(n,)`` that it classifies each correctly, of those that it was not shown.
    """

    total: float
    std: float
    chance: Floats


@dataclass(frozen=True)
class Margins:
    """Margins of subnets that were shown everything, and what they tell of others.

    Attributes:
        known: ``(k, n)``, as far as they count.
        mean: ``(n,)`` of these.
        directions: ``(k, n)``: margins of a new subnet are the mean, and these times standard normal weights,
        own: ``(n,)`` and an error of this variance.
        widest: up to which margins count.
    """

    known: Floats
    mean: Floats
    directions: Floats
    own: Floats
    widest: float

    @classmethod
    def of(cls, known: Floats) -> Margins:
        """Learn from ``(k, n)`` margins."""
        widest = WIDEST * float(np.median(np.abs(known)))
        known = known.clip(-widest, widest)
        mean, variance = known.mean(axis=0), known.var(axis=0)
        own = OWN / len(known) * (variance + variance.mean()) + np.finfo(float).tiny  # of subnets that are all alike
        return cls(known, mean, (known - mean) / np.sqrt(len(known)), own, widest)

    def chance_of_like(self, places: NDArray[np.intp]) -> Floats:
        """``(n,)`` chances of a subnet that is like some of those known, before it is shown anything."""
        spread = np.sqrt((self.directions**2).sum(axis=0) + self.own)
        return _chance(self.known[places].mean(axis=0) / spread)

    def expected(self, margins: Floats, shown: Bools) -> Expected:
        """What is expected of a subnet, given those samples that it was shown.

        Args:
            margins: ``(n,)``, of which those are read that were shown.
            shown: ``(n,)`` which ones.
        """
        own = np.sqrt(self.own[shown])
        told = self.directions[:, shown] / own
        precision = told @ told.T + np.eye(len(told))
        root = np.linalg.inv(np.linalg.cholesky(precision))
        surprise = margins[shown].clip(-self.widest, self.widest) - self.mean[shown]
        weights = root.T @ (root @ (told @ (surprise / own)))
        unsure = root @ self.directions
        spread = np.sqrt((unsure**2).sum(axis=0) + self.own)
        chance = _chance((self.mean + weights @ self.directions) / spread)
        variance = chance * (1 - chance)
        hidden = ~shown
        together = unsure[:, hidden] @ (_TO_LOGISTIC * variance / spread)[hidden]
        total = (margins[shown] > 0).sum() + chance[hidden].sum()
        return Expected(float(total), float(np.sqrt(variance[hidden].sum() + (together**2).sum())), chance)


def most_informative(chance: Floats, ties: NDArray[np.intp]) -> NDArray[np.intp]:
    """``(n,)`` samples, those first of which it is least sure whether a subnet classifies them correctly.

    Args:
        chance: ``(n,)`` that it does.
        ties: ``(n,)`` ranks, by which those come that are as sure.
    """
    return np.lexsort((ties, -(chance * (1 - chance)).round(9)))


def _chance(z: Floats) -> Floats:
    """Of a margin to be positive, so many standard deviations above 0 as expected."""
    return np.asarray((1 + np.tanh(_TO_LOGISTIC / 2 * z)) / 2)
