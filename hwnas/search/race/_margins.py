"""Predict how many samples a subnet classifies correctly, from its margins on a few of them.

The margin of a subnet on a sample is the logit of the sample's class less the largest other logit. It is positive if the
subnet is right, and large if it is sure. Subnets of one supernet err alike, so the margins of a new subnet are modelled
as a mixture of subnets with known margins on all samples, plus an independent error on each sample. All margins are then
jointly normal, and known margins predict the others by Gaussian conditioning (Rasmussen and Williams 2006, "Gaussian
Processes for Machine Learning", appendix A.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OWN = 3.0
"""The variance of a new subnet's own error on a sample is this share of the sample's variance among the k known subnets,
divided by k: the more subnets are known, the better their mixture fits."""

WIDEST = 2.0
"""Margins are clipped at this multiple of their median size, so that a broken subnet does not outweigh the others."""

_TO_LOGISTIC = 1.702
"""``logistic(1.702 z)`` approximates the normal distribution function at z. Its tails are longer, which suits subnets: they
sometimes misclassify an easy sample."""


@dataclass(frozen=True)
class Expected:
    """The expected performance of a subnet.

    Attributes:
        total: expected number of samples that it classifies correctly, of all n.
        std: standard deviation of ``total``.
        chance: ``(n,)`` probability that it classifies each sample correctly; read it only at hidden samples.
    """

    total: float
    std: float
    chance: Floats


@dataclass(frozen=True)
class Margins:
    """A normal model of margins: ``mean + weights @ directions + error``, with standard normal weights.

    Attributes:
        known: ``(k, n)`` margins of k subnets on all n samples, clipped to ``widest``.
        mean: ``(n,)`` mean of ``known``.
        directions: ``(k, n)`` deviations from it, divided by ``sqrt(k)``.
        own: ``(n,)`` variance of a new subnet's own error.
        widest: bound of the margins.
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
        own = OWN / len(known) * (variance + variance.mean()) + np.finfo(float).tiny  # not 0 if all subnets are alike
        return cls(known, mean, (known - mean) / np.sqrt(len(known)), own, widest)

    def chance_of_like(self, places: NDArray[np.intp]) -> Floats:
        """``(n,)`` probabilities for a subnet that resembles some of the known ones, before it is shown any sample."""
        spread = np.sqrt((self.directions**2).sum(axis=0) + self.own)
        return _chance(self.known[places].mean(axis=0) / spread)

    def expected(self, margins: Floats, shown: Bools) -> Expected:
        """The expected performance of a subnet, given its margins on some samples.

        Args:
            margins: ``(n,)`` margins; only those shown are read.
            shown: ``(n,)`` which samples it was shown.
        """
        own = np.sqrt(self.own[shown])
        scaled = self.directions[:, shown] / own
        precision = scaled @ scaled.T + np.eye(len(scaled))
        root = np.linalg.inv(np.linalg.cholesky(precision))
        surprise = margins[shown].clip(-self.widest, self.widest) - self.mean[shown]
        weights = root.T @ (root @ (scaled @ (surprise / own)))
        unsure = root @ self.directions
        spread = np.sqrt((unsure**2).sum(axis=0) + self.own)
        chance = _chance((self.mean + weights @ self.directions) / spread)
        variance = chance * (1 - chance)
        hidden = ~shown
        together = unsure[:, hidden] @ (_TO_LOGISTIC * variance / spread)[hidden]
        total = (margins[shown] > 0).sum() + chance[hidden].sum()
        return Expected(float(total), float(np.sqrt(variance[hidden].sum() + (together**2).sum())), chance)


def most_informative(chance: Floats, ties: NDArray[np.intp]) -> NDArray[np.intp]:
    """``(n,)`` samples, the least certain outcome first.

    Args:
        chance: ``(n,)`` probability that a subnet classifies each sample correctly.
        ties: ``(n,)`` ranks that order equally certain samples.
    """
    return np.lexsort((ties, -(chance * (1 - chance)).round(9)))


def _chance(z: Floats) -> Floats:
    """Probability that a margin is positive, if its mean is z standard deviations above 0."""
    return np.asarray((1 + np.tanh(_TO_LOGISTIC / 2 * z)) / 2)
