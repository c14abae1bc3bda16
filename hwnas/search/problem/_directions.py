"""Evenly spread weights of objectives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def reference_directions(objectives: int, most: int) -> NDArray[np.float64]:
    """``(n, objectives)`` weights: the largest lattice on the unit simplex with at most ``most`` points (Das and Dennis 1998).

    There are never fewer than the corners, one per objective.
    """
    from pymoo.util.reference_direction import UniformReferenceDirectionFactory, get_partition_closest_to_points

    partitions = max(get_partition_closest_to_points(most, objectives), 1)
    return np.asarray(UniformReferenceDirectionFactory(objectives, n_partitions=partitions).do())
