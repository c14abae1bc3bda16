"""Made-up answers of subnets to samples, right or wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def told_right(
    rng: np.random.Generator, abilities: NDArray[np.float64], n: int, *, uneven: bool = False
) -> NDArray[np.bool_]:
    """``(k, n)`` answers of subnets of some abilities. Most samples are easy, some are hard for all.

    Args:
        uneven: violate the item response model: samples discriminate more or less sharply, and 2 % of the labels are
            wrong.
    """
    difficulty = rng.normal(-2.5, 2.5, n)
    sharpness = np.exp(rng.normal(0, 0.4, n)) if uneven else np.ones(n)
    chance = 1 / (1 + np.exp(-sharpness * (abilities[:, None] - difficulty)))
    right: NDArray[np.bool_] = rng.random(chance.shape) < chance
    if uneven:
        right[:, rng.random(n) < 0.02] ^= True
    return right


class Audience:
    """Answers of subnets, and a count of those that were asked for.

    Args:
        right: ``(k, n)``, of rows.
        rows: ``(k, g)``.
        failing: places of rows that give none.
    """

    def __init__(self, rows: NDArray[Any], right: NDArray[np.bool_], failing: tuple[int, ...] = ()) -> None:
        self.place = {row.tobytes(): i for i, row in enumerate(rows)}
        self.right, self.failing = right, failing
        self.asked = np.zeros(right.shape, dtype=int)
        self.calls: list[tuple[int, ...]] = []

    def __call__(self, rows: NDArray[Any], samples: NDArray[np.intp], start: int) -> list[NDArray[np.bool_] | None]:
        answers: list[NDArray[np.bool_] | None] = []
        for i, places in zip((self.place[row.tobytes()] for row in rows), samples, strict=True):
            assert (self.asked[i] > 0).sum() == start
            self.asked[i, places] += 1
            answers.append(None if i in self.failing else self.right[i, places])
        self.calls.append(samples.shape)
        return answers

    def top1(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """The accuracy on all samples, in percent."""
        return 100 * self.right[[self.place[row.tobytes()] for row in x]].sum(axis=1) / self.right.shape[1]
