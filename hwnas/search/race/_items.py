"""How hard samples are, and how many of those that it was not shown a subnet would classify correctly.

An item response model (Rasch 1960, "Probabilistic models for some intelligence and attainment tests"): the chance that
a subnet of ability ``a`` classifies a sample of difficulty ``d`` correctly is ``1 / (1 + exp(d - a))``. Difficulties
are learned from subnets that were shown everything. Most samples are classified correctly by nearly all subnets, or by
none, and say little about differences; those in between say nearly everything, as in adaptive tests of people (Lord
1980) and of language models (Polo et al. 2024, "tinyBenchmarks", arXiv:2402.14992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DIFFICULTY_STD, ABILITY_STD = 4.0, 5.0
"""Of the normal priors, wide: they keep finite what nobody, or everybody, tells right."""

_STEPS, _LONGEST, _NEAR = 60, 1.0, 1e-6
"""Of Newton's method: how many, how long, and how short the last."""


@dataclass(frozen=True)
class Items:
    """Samples of known difficulty.

    Attributes:
        difficulty: ``(n,)``.
        good: the ability of a good subnet: three quarters of those that were shown everything have less.
    """

    difficulty: Floats
    good: float

    @classmethod
    def of(cls, right: Bools) -> Items:
        """The most probable difficulties.

        Args:
            right: ``(k, n)``: which of n samples each of k subnets classified correctly.
        """
        ability, difficulty = np.zeros(len(right)), np.zeros(right.shape[1])
        for _ in range(_STEPS):  # Newton's method by turns
            ability += _step(right, ability[:, None] - difficulty, ability, ABILITY_STD, axis=1)
            centred = difficulty - difficulty.mean()
            step = _step(right, ability[:, None] - difficulty, -centred, DIFFICULTY_STD, axis=0)
            difficulty -= step
            if np.abs(step).max() < _NEAR:
                break
        return cls(difficulty, float(np.quantile(ability, 0.75)))

    def order(self, seed: int) -> NDArray[np.intp]:
        """``(n,)`` samples, the most informative about good subnets first; ties at random."""
        told = _variance(self.good - self.difficulty).round(9)
        return np.lexsort((np.random.default_rng(seed).permutation(len(told)), -told))

    def total(self, right: Bools, shown: NDArray[np.intp]) -> tuple[float, float]:
        """How many of all samples a subnet is expected to classify correctly, given those that it was shown; and the
        standard deviation.

        Args:
            right: ``(s,)``: whether it classified each sample that it was shown correctly.
            shown: ``(s,)`` which ones.
        """
        given = self.difficulty[shown]
        ability = self.good
        for _ in range(_STEPS):
            step = float(_step(right[None], (ability - given)[None], np.array([ability]), ABILITY_STD, axis=1)[0])
            ability += step
            if abs(step) < _NEAR:
                break
        hidden = ability - np.delete(self.difficulty, shown)
        spread = float(_variance(hidden).sum())
        unsure = spread**2 / (float(_variance(ability - given).sum()) + ABILITY_STD**-2)
        return float(right.sum() + _chance(hidden).sum()), math.sqrt(spread + unsure)


def _chance(ahead: Floats) -> Floats:
    """The chance that a sample is classified correctly by a subnet whose ability is ``ahead`` of its difficulty."""
    return 1 / (1 + np.exp(-ahead))


def _variance(ahead: Floats) -> Floats:
    chance = _chance(ahead)
    return chance * (1 - chance)


def _step(right: Bools, ahead: Floats, value: Floats, std: float, axis: int) -> Floats:
    """Towards the most probable abilities, of difficulties the other way round."""
    slope = (right - _chance(ahead)).sum(axis) - value / std**2
    step: Floats = np.clip(slope / (_variance(ahead).sum(axis) + std**-2), -_LONGEST, _LONGEST)
    return step
