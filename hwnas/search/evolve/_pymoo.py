"""Everything taken from pymoo, and from moocore, which it is built on. Both are untyped and stay in this file.

pymoo's algorithms hold one Python object per individual; here its array routines serve whole
populations: non-dominated sorting, crowding, and the normalisation and niches of NSGA-III.
"""

from __future__ import annotations

import warnings

import moocore  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga3 import HyperplaneNormalization, associate_to_niches
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

Costs = NDArray[np.float64]
"""``(n, m)`` objective values, smaller is better."""


def non_dominated(costs: Costs) -> NDArray[np.bool_]:
    """``(n,)`` mask of the non-dominated rows; equal rows all count."""
    return np.asarray(moocore.is_nondominated(np.ascontiguousarray(costs), keep_weakly=True), dtype=bool)


def hypervolume(costs: Costs, reference: NDArray[np.float64]) -> float:
    """Exact volume that the rows dominate below the reference point."""
    return float(moocore.hypervolume(np.ascontiguousarray(costs), ref=reference))


def fronts(costs: Costs, enough: int) -> list[NDArray[np.intp]]:
    """Row numbers of the first, second, ... non-dominated front, until they hold ``enough`` rows."""
    return [np.asarray(f) for f in NonDominatedSorting().do(costs, n_stop_if_ranked=enough)]


def crowding(costs: Costs) -> NDArray[np.float64]:
    """``(n,)`` crowding distance within one front (Deb et al. 2002); larger is lonelier."""
    return np.asarray(calc_crowding_distance(costs)) if len(costs) > 2 else np.full(len(costs), np.inf)


def reference_directions(objectives: int, population: int) -> NDArray[np.float64]:
    """The largest Das-Dennis lattice of at most ``population`` directions on the unit simplex."""
    from pymoo.util.ref_dirs import get_reference_directions  # noqa: PLC0415, takes half a second

    partitions = 1
    while _lattice_size(objectives, partitions + 1) <= population:
        partitions += 1
    return np.asarray(get_reference_directions("das-dennis", objectives, n_partitions=partitions))


def _lattice_size(objectives: int, partitions: int) -> int:
    size = 1
    for i in range(1, objectives):
        size = size * (partitions + i) // i
    return size


class Niches:
    """NSGA-III's normalisation (Deb and Jain 2014), kept over generations, and its niches."""

    def __init__(self, directions: NDArray[np.float64]) -> None:
        self.directions = directions
        self._normal = HyperplaneNormalization(directions.shape[1])

    def __call__(self, costs: Costs, first_front: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """``(n,)`` nearest direction of each row, and the distance to it."""
        with warnings.catch_warnings():  # pymoo sets a global filter in there
            self._normal.update(costs, nds=first_front)
        niche, distance, _ = associate_to_niches(
            costs, self.directions, self._normal.ideal_point, self._normal.nadir_point.copy()
        )
        return np.asarray(niche), np.asarray(distance)
