"""Whether scores of single replacements add up, and what whole models say of them.

A sum of scores leaves out how replacements act on one another: together they cost more than one by one, and the more the
further the model has moved (SmolLM2-135M: 1.04 times as much around 0.3 nats, 1.9 times around 2). A few measured assemblies
tell by how much: sums grow by one law for all, which leaves their order alone, and the worth of an alternative is its score
times a factor of all, times one of its own, which are learned from assemblies by Bayesian linear regression (Rasmussen and
Williams 2006, section 2.1); how far the factors may differ is what predicts each assembly best from all others.
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
"""Standard deviations of an alternative's own factor, over that of the noise, that are tried."""

LEAST = 0.05
"""No alternative is worth less than this share of its score."""

FASTEST = 10.0
"""No sum of one nat becomes more than this and one."""

TARGETS = (0.02, 2.0)
"""Sums of scores of the assemblies that are drawn, in nats: from hardly another model to a bad one."""


@dataclass(frozen=True)
class Additivity:
    """Predicted against measured.

    Attributes:
        models: how many assemblies.
        spearman: rank correlation; NaN where there is no order, as of a single assembly.
        scale: median of measured over predicted.
        error_pct: mean relative error once that is allowed for.
    """

    models: int
    spearman: float
    scale: float
    error_pct: float

    @classmethod
    def of(cls, predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> Additivity:
        """Of ``(n,)`` sums of scores and measurements, all above 0."""
        ratio = measured / predicted
        scale = float(np.median(ratio))
        error = float(100 * np.abs(scale / ratio - 1).mean())
        ordered = min(np.ptp(predicted), np.ptp(measured)) > 0
        rank = float(spearmanr(predicted, measured).statistic) if ordered else math.nan
        return cls(len(measured), rank, scale, error)

    def __str__(self) -> str:
        return (
            f"{self.models} assembled models: rank correlation {self.spearman:.3f}; measured is {self.scale:.2f} times the "
            f"sum in the middle, and then {self.error_pct:.0f} % off on average"
        )


def assemblies(space: SearchSpace, cost: AdditiveCost, n: int, rng: np.random.Generator) -> Population:
    """``(n, g)`` distinct random assemblies, as many at each order of magnitude of the sum of scores.

    Args:
        space: of the library.
        cost: sum of scores. From the row where it is least block after block is replaced, as far as the sum stays below
            what was drawn.
        n: how many, if there are so many.
        rng: draws them.

    Raises:
        DataError: every replacement costs more than is asked for.
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
        rule = f"some alternative must cost between 0 and {TARGETS[1]:g} nats, for models worth measuring to have it"
        raise DataError("scores of the library", rule, "add alternatives that change the model less")
    return np.stack([*found.values()])


@dataclass(frozen=True)
class Growth:
    """What a sum of scores comes to: ``s (1 + rate s)``.

    Attributes:
        rate: per nat; 0 where scores add up.
    """

    rate: float = 0.0

    @classmethod
    def of(cls, sums: NDArray[np.float64], measured: NDArray[np.float64]) -> Growth:
        """That which is off least, on average, for ``(n,)`` sums and measurements above 0."""

        def off(rate: float) -> float:
            return float(np.abs(np.log(measured / cls(rate)(sums))).mean())

        rate = float(minimize_scalar(off, bounds=(0, FASTEST), method="bounded").x)
        return cls(rate) if off(rate) < off(0.0) else cls()

    def __call__(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Divergences that sums come to."""
        return sums * (1 + self.rate * sums)

    def undone(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums that come to some divergences."""
        undone: NDArray[np.float64] = 2 * values / (1 + np.sqrt(1 + 4 * self.rate * values))
        return undone


def corrected(
    cost: AdditiveCost, x: Population, measured: NDArray[np.float64]
) -> tuple[AdditiveCost, Growth, NDArray[np.float64]]:
    """Scores in line with measured assemblies, what their sums come to, and ``(n,)`` each assembly predicted from all others.

    Args:
        cost: sum of scores; those of a parent's own blocks are 0 and stay so.
        x: ``(n, g)`` what was measured.
        measured: ``(n,)`` above 0.
    """
    growth = Growth.of(cost(x), measured)
    wanted = growth.undone(measured)
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
    """``(n, entries)`` what each entry of a table adds to each row: its value where the row has it, else 0."""
    at = np.ravel_multi_index(tuple(x[:, gene] for gene in factor.genes), factor.table.shape)
    shares = np.zeros((len(x), factor.table.size))
    shares[np.arange(len(x)), at] = factor.table.ravel()[at]
    return shares


def _posterior(
    kernel: NDArray[np.float64], residual: NDArray[np.float64], spread: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of the rows, and leave-one-out errors in closed form (Rasmussen and Williams, equation 5.12)."""
    inverse = np.linalg.inv(spread**2 * kernel + np.eye(len(kernel)))
    weights = inverse @ residual
    return weights, weights / np.diag(inverse)
