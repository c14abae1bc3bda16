"""Everything taken from pymoo, and from moocore, which it is built on. Both are untyped and stay in this file.

pymoo's own NSGA-II holds one Python object per individual; here its array routines serve whole
populations: non-dominated sorting, crowding, and NSGA-III's niching.
"""

from __future__ import annotations

import moocore  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray


def non_dominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``(n,)`` mask of the non-dominated rows of ``(n, m)`` minimised costs; equal rows all count."""
    return np.asarray(moocore.is_nondominated(np.ascontiguousarray(costs), keep_weakly=True), dtype=bool)


def hypervolume(costs: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Exact volume that ``(n, m)`` minimised costs dominate below the reference point."""
    return float(moocore.hypervolume(np.ascontiguousarray(costs), ref=reference))
