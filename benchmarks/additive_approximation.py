"""An additive approximation of a predictor, for benchmarks of exact fronts (searches use the predictor's gradient instead)."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from hwnas.predictor import Predictor
from hwnas.predictor._features import is_continuous
from hwnas.space import AdditiveCost, Factor, Population, SearchSpace

_DEGREE = 2
_RIDGE = 1e-6


def additive_approximation(
    predictor: Predictor, space: SearchSpace, rng: np.random.Generator, n: int = 12_000
) -> AdditiveCost:
    """The predictor as a sum over slots: exact if it is additive, else fitted by least squares to ``n`` random rows.

    Every slot has one term per setting of its discrete genes (kernel, expansion, depth), which is a quadratic in the resolution,
    and the resolution has its own term per choice. Terms depend on the same genes as in a latency table, so that a search over
    both costs no more than a search over latency alone.

    Args:
        predictor: a fitted predictor.
        space: the part of the predictor's space to approximate it on.
        rng: draws the rows, half of them uniform over subnets, half uniform over gene values.
        n: number of rows.
    """
    exact = predictor.additive()
    if exact is not None:
        return exact
    space = predictor.covered(space)
    x = np.concatenate([space.sample(n // 2, rng), space.sample(n - n // 2, rng, distinct_uniform=False)])
    y = predictor.predict(x)
    continuous = [c for c, gene in enumerate(space.genes) if is_continuous(gene)]
    scopes = _scopes(space, continuous)
    blocks = [_Block(space, scope, continuous) for scope in scopes]
    phi = np.concatenate([block.columns(x) for block in blocks], axis=1)
    mean = y.mean()
    gram = phi.T @ phi
    gram[np.diag_indices(len(gram))] += _RIDGE * len(x)
    weights = np.linalg.solve(gram, phi.T @ (y - mean))
    ends = np.cumsum([block.width for block in blocks])[:-1]
    factors = [block.factor(w) for block, w in zip(blocks, np.split(weights, ends), strict=True)]
    factors[0] = Factor(factors[0].genes, factors[0].table + mean)
    return AdditiveCost(space, factors)


def _scopes(space: SearchSpace, continuous: list[int]) -> list[tuple[int, ...]]:
    """Gene sets of the terms: those of the slots, and each gene that no slot has, with the genes that it depends on."""
    scopes = [tuple(c for c in slot.genes if c not in continuous) for slot in space.slots]
    for c in range(space.n_genes):
        if c in continuous:
            scopes.append((c,))
        elif not any(c in scope for scope in scopes):
            scopes.append((*space.conditions.controllers(c), c))
    return [scope for scope in dict.fromkeys(scopes) if scope]


class _Block:
    """Indicator columns of one scope's settings, times powers of each continuous gene."""

    def __init__(self, space: SearchSpace, scope: tuple[int, ...], continuous: list[int]) -> None:
        self.space, self.scope = space, scope
        self.shape = tuple(len(space.genes[c].choices) for c in scope)
        self.scales = [] if set(scope) & set(continuous) else [c for c in continuous if len(space.domain[c]) > 1]
        self._z = {c: np.linspace(-1, 1, len(space.genes[c].choices)) for c in self.scales}
        self.settings = int(np.prod(self.shape))
        self.width = self.settings * (1 + _DEGREE * len(self.scales))

    def columns(self, x: Population) -> NDArray[np.float64]:
        indicator = np.zeros((len(x), self.settings))
        at = np.ravel_multi_index(tuple(x[:, c].astype(np.intp) for c in self.scope), self.shape)
        indicator[np.arange(len(x)), at] = 1
        powers = [self._z[c][x[:, c]] ** k for c, k in self._powers()]
        return np.concatenate([indicator, *(indicator * p[:, None] for p in powers)], axis=1)

    def factor(self, weights: NDArray[np.float64]) -> Factor:
        parts = weights.reshape(1 + _DEGREE * len(self.scales), *self.shape)
        extra = tuple(len(self.space.genes[c].choices) for c in self.scales)
        table = np.broadcast_to(parts[0].reshape(self.shape + (1,) * len(extra)), self.shape + extra).copy()
        for (c, k), part in zip(self._powers(), parts[1:], strict=True):
            axis = [1] * len(extra)
            axis[self.scales.index(c)] = -1
            table += part.reshape(self.shape + (1,) * len(extra)) * (self._z[c] ** k).reshape(axis)
        return Factor((*self.scope, *self.scales), table)

    def _powers(self) -> list[tuple[int, int]]:
        return list(itertools.product(self.scales, range(1, _DEGREE + 1)))
