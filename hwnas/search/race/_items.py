"""How hard samples are, and how many of those that it was not shown a subnet would classify correctly.

An item response model (Rasch 1960, "Probabilistic models for some intelligence and attainment tests"): the chance that
a subnet of ability ``a`` classifies a sample of difficulty ``d`` correctly is ``1 / (1 + exp(d - a))``. Difficulties
are learned from subnets that were shown everything. Most samples are classified correctly by nearly all subnets, or by
none, and say little about differences; those in between say nearly everything, as in adaptive tests of people (Lord
1980) and of language models (Polo et al. 2024, "tinyBenchmarks", arXiv:2402.14992).
"""

from __future__ import annotations

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
        ability: ``(k,)`` of the subnets that they were learned from.
    """

    difficulty: Floats
    ability: Floats

    @classmethod
    def of(cls, right: Bools) -> Items:
        """The most probable difficulties and abilities.

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
        return cls(difficulty, ability)

    @property
    def good(self) -> float:
        """The ability of a good subnet: three quarters of those that were learned from have less."""
        return float(np.quantile(self.ability, 0.75))

    def order(self, ability: float, ties: NDArray[np.intp]) -> NDArray[np.intp]:
        """``(n,)`` samples, the most informative about a subnet of some ability first.

        Args:
            ability: its.
            ties: ``(n,)`` ranks, by which those come that tell as much.
        """
        return np.lexsort((ties, -_variance(ability - self.difficulty).round(9)))

    def expected(self, right: Bools, shown: Bools) -> tuple[Floats, Floats, Floats]:
        """How many of all samples subnets are expected to classify correctly, given those that they were shown; the
        standard deviations; and their most probable abilities.

        Args:
            right: ``(k, n)``: whether each classified a sample correctly, for those that it was shown.
            shown: ``(k, n)``: which ones.
        """
        ability = np.full(len(right), self.good)
        for _ in range(_STEPS):
            step = _step(right, ability[:, None] - self.difficulty, ability, ABILITY_STD, axis=1, shown=shown)
            ability += step
            if np.abs(step).max(initial=0) < _NEAR:
                break
        ahead = ability[:, None] - self.difficulty
        told = _variance(ahead)
        spread = (told * ~shown).sum(axis=1)
        unsure = spread**2 / ((told * shown).sum(axis=1) + ABILITY_STD**-2)
        total = np.where(shown, right, _chance(ahead)).sum(axis=1)
        return total, np.sqrt(spread + unsure), ability


def _chance(ahead: Floats) -> Floats:
    """The chance that a sample is classified correctly by a subnet whose ability is ``ahead`` of its difficulty."""
    return 1 / (1 + np.exp(-ahead))


def _variance(ahead: Floats) -> Floats:
    chance = _chance(ahead)
    return chance * (1 - chance)


def _step(right: Bools, ahead: Floats, value: Floats, std: float, axis: int, shown: Bools | bool = True) -> Floats:
    """Towards the most probable abilities, of difficulties the other way round."""
    slope = ((right - _chance(ahead)) * shown).sum(axis) - value / std**2
    step: Floats = np.clip(slope / ((_variance(ahead) * shown).sum(axis) + std**-2), -_LONGEST, _LONGEST)
    return step
