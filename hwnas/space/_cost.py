"""AdditiveCost: a metric that is a sum over slots (latency, MACs, params, energy)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space._elimination import eliminate
from hwnas.space._factors import Factor, domain_factors, layer_factors, merged, table_entries, without_nan
from hwnas.space._layer import LayerSpec
from hwnas.space._space import Population, SearchSpace


class AdditiveCost:
    """``cost(x) -> (n,)`` float64 for an ``(n, g)`` canonical population.

    Args:
        space: of the rows.
        factors: its terms; factors over the same genes are merged.
    """

    def __init__(self, space: SearchSpace, factors: Sequence[Factor]) -> None:
        self.space = space
        self.factors = merged(factors, np.add)

    @classmethod
    def from_layers(cls, space: SearchSpace, layer_cost: Callable[[LayerSpec], float]) -> AdditiveCost:
        """Sum of ``layer_cost`` over a subnet's layers."""
        return cls(space, layer_factors(space, layer_cost))

    def scaled(self, factor: float) -> AdditiveCost:
        """``factor`` times this cost."""
        return AdditiveCost(self.space, [Factor(each.genes, factor * each.table) for each in self.factors])

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Cost of each row.

        Raises:
            SpaceError: a row is not canonical, or outside the domain of the tables.
        """
        total = np.zeros(len(x))
        for term in table_entries(self.factors, self.space.checked(x)):
            total += term
        return without_nan(total, self.space)

    def effects(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n, choices)``: change of the cost when one gene takes another choice, numbered as in ``space.starts``.

        Args:
            x: ``(n, g)`` rows in which inactive genes hold a choice too (``space.completed``), which counts if the change
                activates them.
        """
        x = np.asarray(x, dtype=np.intp)
        total = np.zeros((len(x), self.space.starts[-1]))
        for genes, table in self._complete:
            strides = [math.prod(table.shape[i + 1 :]) for i in range(table.ndim)]
            values = table.ravel()
            flat = sum(x[:, gene] * stride for gene, stride in zip(genes, strides, strict=True))
            now = values.take(flat)[:, None]
            for gene, stride, size in zip(genes, strides, table.shape, strict=True):
                others = (flat - stride * x[:, gene])[:, None] + stride * np.arange(size)
                start = self.space.starts[gene]
                total[:, start : start + size] += values.take(others) - now
        return total

    @cached_property
    def _complete(self) -> list[tuple[list[int], NDArray[np.float64]]]:
        """Genes and table of each factor with genes; the tables are defined for any choice of inactive genes."""
        complete = []
        for factor in (each for each in self.factors if each.genes):
            genes, at = list(factor.genes), np.indices(factor.table.shape)
            for column in sorted(genes, key=lambda c: len(self.space.conditions.controllers(c))):
                # Controllers come first: an inactive controller is 0 by now, so the genes that depend on it are inactive.
                idle = np.zeros(factor.table.shape, dtype=bool)
                child = column
                for controller in self.space.conditions.controllers(column):
                    if controller in genes:
                        idle |= ~np.isin(at[genes.index(controller)], list(self.space.genes[child].active_for))
                    child = controller
                at[genes.index(column)][idle] = 0
            complete.append((genes, factor.table[tuple(at)]))
        return complete

    def within(self, space: SearchSpace) -> AdditiveCost:
        """The same cost on the domain of ``space``, which is a restriction of the cost's space."""
        return AdditiveCost(space, [*self.factors, *domain_factors(space)])

    def minimum(self) -> tuple[float, Population]:
        """The exact minimum over the domain and a canonical ``(g,)`` row that attains it."""
        return eliminate(self.space, self.factors)

    def maximum(self) -> tuple[float, Population]:
        """The exact maximum over the domain and a canonical ``(g,)`` row that attains it."""
        value, row = eliminate(self.space, [Factor(f.genes, -f.table) for f in self.factors])
        return -value, row


def macs_cost(space: SearchSpace) -> AdditiveCost:
    """Multiply-accumulates of convolutions and linear maps, for one image."""
    return AdditiveCost.from_layers(space, lambda layer: layer.macs)


def params_cost(space: SearchSpace) -> AdditiveCost:
    """Trainable parameters of the active subnet."""
    return AdditiveCost.from_layers(space, lambda layer: layer.params)
