"""From the gradient of a predictor on one-hot genes to what a change of one gene does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Population, SearchSpace


def effects_of(space: SearchSpace, x: Population, slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, choices)``: what giving one gene another choice adds, to first order.

    A gene without effect is all zeros in a one-hot encoding. A change of its controller may wake it, at the
    choice that the row holds for it, or put it to sleep.

    Args:
        space: its genes.
        x: ``(n, g)`` rows with a choice in every gene (``SearchSpace.completed``).
        slopes: ``(n, choices)`` derivatives by every choice of every gene, in line as in ``SearchSpace.starts``.
    """
    starts = space.starts
    worth = np.take_along_axis(slopes, starts[:-1] + x, axis=1)
    effects = slopes - np.repeat(worth, np.diff(starts), axis=1)
    active = space.active(x)
    for controller, dependents in space.dependents.items():
        for choice, awake in enumerate(space.awake[controller]):
            switched = awake.astype(float) - active[:, dependents]
            effects[:, starts[controller] + choice] += (switched * worth[:, dependents]).sum(axis=1)
    return effects
