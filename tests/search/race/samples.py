"""Made-up margins of subnets on samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TRAITS = 4
"""In which subnets differ beside their ability: they err alike as far as they have the same."""


def made_up(
    rng: np.random.Generator, abilities: NDArray[np.float64], n: int, *, uneven: bool = False
) -> NDArray[np.float64]:
    """``(k, n)`` margins of subnets of some abilities. Most samples are easy, some are hard for all.

    Args:
        uneven: violate the model: errors have long tails, some subnets are surer of themselves than others, and 2 % of
            the labels are wrong.
    """
    difficulty = rng.normal(-2.5, 2.5, n)
    traits = 0.5 * rng.normal(size=(len(abilities), TRAITS)) @ rng.normal(size=(TRAITS, n))
    own = rng.normal(0, 0.5, traits.shape)
    margins: NDArray[np.float64] = abilities[:, None] - difficulty + traits + own
    if uneven:
        margins += 0.3 * rng.standard_t(3, margins.shape)
        margins *= np.exp(rng.normal(0, 0.2, (len(abilities), 1)))
        margins[:, rng.random(n) < 0.02] *= -1
    return margins


class Audience:
    """Margins of subnets, and a count of those that were asked for.

    Args:
        rows: ``(k, g)``.
        margins: ``(k, n)``, of these.
        failing: places of rows that give none.
    """

    def __init__(self, rows: NDArray[Any], margins: NDArray[np.float64], failing: tuple[int, ...] = ()) -> None:
        self.place = {row.tobytes(): i for i, row in enumerate(rows)}
        self.margins, self.failing = margins, failing
        self.asked = np.zeros(margins.shape, dtype=int)
        self.calls: list[tuple[int, ...]] = []

    def __call__(self, rows: NDArray[Any], samples: NDArray[np.intp], start: int) -> list[NDArray[np.float64] | None]:
        told: list[NDArray[np.float64] | None] = []
        for i, places in zip((self.place[row.tobytes()] for row in rows), samples, strict=True):
            assert (self.asked[i] > 0).sum() == start
            self.asked[i, places] += 1
            told.append(None if i in self.failing else self.margins[i, places])
        self.calls.append(samples.shape)
        return told

    def top1(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """The accuracy on all samples, in percent."""
        right = self.margins[[self.place[row.tobytes()] for row in x]] > 0
        return 100 * right.sum(axis=1) / right.shape[1]
