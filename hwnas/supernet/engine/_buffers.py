"""Memory of activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Shape


class Buffers:
    """Memory of activations, used again by the next segment and subnet: fresh pages cost more than what is written to them.

    As much is kept as the largest batch so far took.
    """

    def __init__(self) -> None:
        self._free: list[NDArray[np.float32]] = []

    def __reduce__(self) -> tuple[type[Buffers], tuple[()]]:
        """Another process begins with none."""
        return Buffers, ()

    def take(self, shape: Shape) -> NDArray[np.float32]:
        """An array with anything in it."""
        size = math.prod(shape)
        fitting = [i for i, flat in enumerate(self._free) if len(flat) >= size]
        best = min(fitting, key=lambda i: len(self._free[i]), default=None)
        flat = np.empty(size, np.float32) if best is None else self._free.pop(best)
        return flat[:size].reshape(shape)

    def give_back(self, array: Any) -> None:
        """What :meth:`take` gave, once it is no longer needed."""
        self._free.append(array.base)
