"""Subnets in the order of their size, which is counted in MACs."""

from __future__ import annotations

import numpy as np

from hwnas.space import Population, SearchSpace, macs_cost


def by_size(space: SearchSpace, x: Population) -> Population:
    """The rows from the smallest subnet to the largest; subnets of the same size keep their order."""
    ordered: Population = x[np.argsort(macs_cost(space)(x), kind="stable")]
    return ordered


def middle(space: SearchSpace, x: Population) -> Population:
    """``(g,)`` the row of median size."""
    chosen: Population = by_size(space, x)[len(x) // 2]
    return chosen


def usual_anchor(space: SearchSpace, seed: int) -> Population:
    """``(g,)`` the row of median size among random ones, which other subnets are compared with."""
    return middle(space, space.sample(101, np.random.default_rng(seed), distinct_uniform=False))
