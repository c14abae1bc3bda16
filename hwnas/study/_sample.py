"""Random subnets of all sizes, as the background of a front's picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hwnas.metric import Budget

if TYPE_CHECKING:
    from hwnas.space import Population, SearchSpace
    from hwnas.study._metrics import Metrics

SAMPLE = 1600
"""Number of random subnets in the picture."""


def random_sample(
    metrics: Metrics, columns: tuple[str, str], budgets: Mapping[str, Budget], seed: int
) -> dict[str, list[float]]:
    """Values of random subnets for the picture, without those that break a budget on a metric that it does not show."""
    x = _of_all_sizes(metrics.space, SAMPLE, np.random.default_rng(seed))
    for name, budget in budgets.items():
        if name not in columns:
            x = x[budget.holds(metrics.functions[name](x))]
    return values_of(metrics, x, columns)


def values_of(metrics: Metrics, x: Population, columns: tuple[str, str]) -> dict[str, list[float]]:
    """Values of subnets by column, rounded to five digits."""
    return {name: [float(f"{v:.5g}") for v in metrics.functions[name](x)] for name in columns}


def _of_all_sizes(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """``(n, g)`` canonical rows of all sizes. Uniform rows are nearly all of medium size, and would leave the budget's side of
    the picture empty. Here each row prefers the low or the high choices of its genes by a random degree."""
    lean = rng.uniform(0.02, 0.98, size=(n, 1))
    shares = rng.beta(3 * lean, 3 * (1 - lean), size=(n, space.n_genes))
    x = np.zeros((n, space.n_genes), dtype=np.int16)
    for column, allowed in enumerate(space.domain):
        x[:, column] = allowed[np.minimum((shares[:, column] * len(allowed)).astype(int), len(allowed) - 1)]
    return space.canonical(x)
