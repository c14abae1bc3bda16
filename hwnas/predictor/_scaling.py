"""Scaling of features, so that the linear kernel of each part has mean diagonal 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.predictor._features import Features, Matrix
from hwnas.space import Population

_CONSTANT = 1e-9
"""A feature whose standard deviation over the space is smaller than this is constant, and left unscaled."""


@dataclass(frozen=True)
class Scaling:
    """Centre and scale of the ``k`` features of several parts.

    Attributes:
        features: of the space.
        parts: names of methods of :class:`Features`.
        sizes: number of features of each part.
        centre: ``(k,)``, subtracted first.
        scale: ``(k,)``, then multiplied.
    """

    features: Features
    parts: tuple[str, ...]
    sizes: tuple[int, ...]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, features: Features, parts: tuple[str, ...], x: Population) -> Scaling:
        """The scaling for training rows ``x``.

        Structural features are divided by their standard deviation over the space, because over the data it may be zero.
        """
        reference = features.at_resolutions_of(x, np.random.default_rng(0))
        centre, scale = [], []
        for part in parts:
            raw = features.part(part, x)
            unit = np.ones(raw.shape[1])
            if not part.startswith("one_hot"):
                spread = features.part(part, reference).std(axis=0)
                unit = 1 / np.where(spread > _CONSTANT, spread, 1.0)
            z = (raw - raw.mean(axis=0)) * unit
            centre.append(raw.mean(axis=0))
            scale.append(unit / np.sqrt(max(float((z**2).sum(axis=1).mean()), 1e-12)))
        sizes = tuple(len(c) for c in centre)
        return cls(features, parts, sizes, np.concatenate(centre), np.concatenate(scale))

    def __call__(self, x: Population) -> Matrix:
        """``(n, k)`` scaled features of ``(n, g)`` rows."""
        raw = np.concatenate([self.features.part(part, x) for part in self.parts], axis=1)
        return np.asarray((raw - self.centre) * self.scale)

    def of_unit_size(self, x: Population) -> Matrix:
        """``(n, k)`` features, with each feature rather than each part scaled to unit size."""
        return np.concatenate([z * np.sqrt(z.shape[1]) for z in self.split(self(x)) if z.shape[1]], axis=1)

    def split(self, values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """``(..., k)`` values by part."""
        return np.split(values, np.cumsum(self.sizes)[:-1], axis=-1)

    def spread(self, per_part: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """``(k,)``: for each feature the value of its part."""
        return np.repeat(np.asarray(per_part, dtype=float), self.sizes)
