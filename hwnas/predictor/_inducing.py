"""An RBF kernel over the genes, seen from a set of inducing subnets (Quinonero-Candela & Rasmussen 2005)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwnas.predictor._features import Features, Matrix
from hwnas.space import Population, SearchSpace

_NYSTROEM_JITTER = 1e-5


class InducingRbf:
    """``exp(-sum of squared distances / 2 l^2)`` between any rows and the inducing ones.

    Args:
        features: of the space.
        rows: ``(m, g)`` inducing subnets.
        length_scales: one per group of genes, in the order of ``Features.length_groups``.
    """

    def __init__(self, features: Features, rows: Population, length_scales: Sequence[float]) -> None:
        self.features = features
        self.rows = rows.astype(np.min_scalar_type(-1 - int(rows.max(initial=0))))  # int8 in nearly all spaces
        self.inverse_scales = 1 / np.array(length_scales)[features.length_groups()]
        self.points = (features.ordinal(rows) * self.inverse_scales).astype(np.float32)
        self._half_squares = 0.5 * (self.points**2).sum(axis=1)

    def __call__(self, x: Population) -> NDArray[np.float32]:
        """``(n, m)`` kernel of unit variance; in single precision, which changes predictions by 1e-5 points of accuracy
        at most."""
        return self.at((self.features.ordinal(x) * self.inverse_scales).astype(np.float32))

    def at(self, a: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same for ``(n, coordinates)`` points, already divided by the length scales."""
        exponent: NDArray[np.float32] = a @ self.points.T
        exponent -= 0.5 * (a**2).sum(axis=1)[:, None]
        exponent -= self._half_squares
        return np.exp(np.minimum(exponent, 0, out=exponent), out=exponent)

    @cached_property
    def whitening(self) -> Matrix:
        """``(m, m)`` matrix that turns kernel values into features of unit prior (Nystroem features)."""
        p = self.points.astype(float)
        square = (p**2).sum(axis=1)
        among = np.exp(-0.5 * np.maximum(square[:, None] + square - 2 * p @ p.T, 0))
        among[np.diag_indices(len(p))] += _NYSTROEM_JITTER
        return np.asarray(np.linalg.inv(np.linalg.cholesky(among)).T)


def recombine(space: SearchSpace, x: Population, n: int, rng: np.random.Generator) -> Population:
    """``n`` canonical rows, each gene from one of two random rows of ``x``."""
    a, b = x[rng.integers(len(x), size=n)], x[rng.integers(len(x), size=n)]
    return space.canonical(np.where(rng.random(a.shape) < 0.5, a, b))
