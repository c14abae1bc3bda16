"""Whether the scores of single replacements add up, and how to correct them by measured assemblies.

A sum of scores ignores interactions. Several replacements cost more together than one by one, and the excess grows with
the distance from the parent (SmolLM2-135M: 1.04 times the sum around 0.3 nats, 1.9 times around 2). A few measured
assemblies correct this in two ways. All sums grow by one monotone law, which keeps their order. Each alternative's score is
multiplied by a common factor and one of its own, learned by Bayesian linear regression (Rasmussen and Williams 2006,
section 2.1). The spread of the own factors is the one that predicts each assembly best from all others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import spearmanr

from hwnas.errors import DataError
from hwnas.space import AdditiveCost, Factor, Population, SearchSpace

SPREADS = (1e-3, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Candidate standard deviations of an alternative's own factor, relative to the noise."""

LEAST = 0.05
"""Least factor of a score."""

FASTEST = 10.0
"""Largest growth rate, per nat."""

TARGETS = (0.02, 2.0)
"""Range of the sums of scores of random assemblies, in nats: from almost the same model to a bad one."""


@dataclass(frozen=True)
class Additivity:
    """How well sums of scores predict measured assemblies.

    Attributes:
        models: number of assemblies.
        spearman: rank correlation; NaN if all values are equal, as for a single assembly.
        scale: median of measured over predicted.
        error_pct: mean relative error of ``scale`` times the prediction.
    """

    models: int
    spearman: float
    scale: float
    error_pct: float

    @classmethod
    def of(cls, predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> Additivity:
        """Compare ``(n,)`` sums of scores with ``(n,)`` measurements, all above 0."""
        ratio = measured / predicted
        scale = float(np.median(ratio))
        error = float(100 * np.abs(scale / ratio - 1).mean())
        ordered = min(np.ptp(predicted), np.ptp(measured)) > 0
        rank = float(spearmanr(predicted, measured).statistic) if ordered else math.nan
        return cls(len(measured), rank, scale, error)

    def __str__(self) -> str:
        return (
            f"{self.models} assembled models: rank correlation {self.spearman:.3f}; measured is {self.scale:.2f} times the "
            f"sum (median), and then {self.error_pct:.0f} % off on average"
        )


def assemblies(space: SearchSpace, cost: AdditiveCost, n: int, rng: np.random.Generator) -> Population:
    """Distinct random assemblies, spread evenly over the order of magnitude of their sum of scores.

    Each starts from the row of least cost. Blocks are replaced in random order, unless the sum would exceed a random target.

    Args:
        space: space of the library.
        cost: sum of scores.
        n: number of assemblies.
        rng: draws them.

    Returns:
        ``(<= n, g)`` rows.

    Raises:
        DataError: every replacement costs more than the largest target.
    """
    found: dict[bytes, Population] = {}
    _, parent = cost.minimum()
    free = [column for column, domain in enumerate(space.domain) if len(domain) > 1]
    for _ in range(100 * n):
        if len(found) == n:
            break
        target = np.exp(rng.uniform(*np.log(TARGETS)))
        row = parent.copy()
        for column in rng.permutation(free):
            tried = row.copy()
            tried[column] = rng.choice(space.domain[column])
            tried = space.canonical(tried[None])[0]
            if cost(tried[None])[0] <= target:
                row = tried
        if cost(row[None])[0] > 0:
            found.setdefault(row.tobytes(), row)
    if not found:
        rule = f"no alternative costs between 0 and {TARGETS[1]:g} nats, so no assembly is worth measuring"
        raise DataError("scores of the library", rule, "add alternatives that change the model less")
    return np.stack([*found.values()])


@dataclass(frozen=True)
class Growth:
    """The divergence of an assembly whose scores sum to s: ``s (1 + rate s)``.

    Attributes:
        rate: growth per nat; 0 if scores add up.
    """

    rate: float = 0.0

    @classmethod
    def of(cls, sums: NDArray[np.float64], measured: NDArray[np.float64]) -> Growth:
        """Fit the mean absolute log error to ``(n,)`` sums and measurements, all above 0."""

        def error(rate: float) -> float:
            return float(np.abs(np.log(measured / cls(rate)(sums))).mean())

        rate = float(minimize_scalar(error, bounds=(0, FASTEST), method="bounded").x)
        return cls(rate) if error(rate) < error(0.0) else cls()

    def __call__(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Divergences of sums of scores."""
        return sums * (1 + self.rate * sums)

    def inverse(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of scores that have some divergences."""
        return np.asarray(2 * values / (1 + np.sqrt(1 + 4 * self.rate * values)))


def corrected(
    cost: AdditiveCost, x: Population, measured: NDArray[np.float64]
) -> tuple[AdditiveCost, Growth, NDArray[np.float64]]:
    """Correct scores by measured assemblies.

    Args:
        cost: sum of scores. Scores of a parent's own blocks are 0 and stay 0.
        x: ``(n, g)`` measured rows.
        measured: ``(n,)`` divergences above 0.

    Returns:
        The corrected scores, the growth of their sums, and ``(n,)`` predictions of each assembly from all others.
    """
    growth = Growth.of(cost(x), measured)
    wanted = growth.inverse(measured)
    shares = np.concatenate([_shares(factor, x) for factor in cost.factors], axis=1) / wanted[:, None]
    scale = float(np.exp(np.median(-np.log(shares.sum(axis=1)))))
    shares *= scale
    residual = 1 - shares.sum(axis=1)
    kernel = shares @ shares.T
    fits = {spread: _posterior(kernel, residual, spread) for spread in SPREADS}
    best = min(fits, key=lambda spread: float(np.abs(fits[spread][1]).mean()))
    weights, left_out = fits[best]
    change = np.maximum(scale * (1 + best**2 * shares.T @ weights), LEAST)
    factors, start = [], 0
    for factor in cost.factors:
        own = change[start : start + factor.table.size].reshape(factor.table.shape)
        factors.append(Factor(factor.genes, factor.table * own))
        start += factor.table.size
    return AdditiveCost(cost.space, factors), growth, growth(wanted * (1 - left_out))


def _shares(factor: Factor, x: Population) -> NDArray[np.float64]:
    """``(n, entries)``: how much each entry of a factor's table adds to each row; 0 if the row does not use it."""
    at = np.ravel_multi_index(tuple(x[:, gene] for gene in factor.genes), factor.table.shape)
    shares = np.zeros((len(x), factor.table.size))
    shares[np.arange(len(x)), at] = factor.table.ravel()[at]
    return shares


def _posterior(
    kernel: NDArray[np.float64], residual: NDArray[np.float64], spread: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(n,)`` weights of the rows, and ``(n,)`` leave-one-out errors (Rasmussen and Williams, equation 5.12)."""
    inverse = np.linalg.inv(spread**2 * kernel + np.eye(len(kernel)))
    weights = inverse @ residual
    return weights, weights / np.diag(inverse)
