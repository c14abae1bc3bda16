"""AdditiveCost: a metric that is a sum over slots (latency, MACs, params, energy).

It consists of small dense tables, one for each distinct set of genes. Indexing them scores a population, and variable elimination
finds the exact minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.space._layer import LayerSpec
from hwnas.space._space import Population, SearchSpace


@dataclass(frozen=True)
class Factor:
    """One term of a sum: ``table[x[genes[0]], x[genes[1]], ...]``; NaN outside the space's domain."""

    genes: tuple[int, ...]
    table: NDArray[np.float64]


def table_entries(factors: Sequence[Factor], x: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """``(n,)`` entries of each factor's table for ``(n, g)`` rows."""
    columns = np.ascontiguousarray(np.asarray(x).T, dtype=np.int32)
    for factor in factors:
        flat = np.zeros(columns.shape[1], dtype=np.int32)
        for gene, size in zip(factor.genes, factor.table.shape, strict=True):
            flat *= size
            flat += columns[gene]
        yield factor.table.ravel()[flat]


def layer_factors(space: SearchSpace, layer_cost: Callable[[LayerSpec], float]) -> list[Factor]:
    """One factor for each slot, with the cost of its layer; skipped slots cost nothing."""
    factors = []
    for slot in space.slots:
        table = np.full([len(space.genes[c].choices) for c in slot.genes], np.nan)
        for setting, layer in space.slot_layers(slot):
            table[setting] = 0.0 if layer is None else layer_cost(layer)
        factors.append(Factor(slot.genes, table))
    return factors


def merged(factors: Sequence[Factor], combine: np.ufunc) -> tuple[Factor, ...]:
    """One factor for each distinct set of genes, with tables combined by ``combine``."""
    tables: dict[tuple[int, ...], NDArray[np.float64]] = {}
    for f in factors:
        tables[f.genes] = combine(tables[f.genes], f.table) if f.genes in tables else f.table
    return tuple(Factor(genes, table) for genes, table in tables.items())


def without_nan(values: NDArray[np.float64], space: SearchSpace) -> NDArray[np.float64]:
    """The values; raises SpaceError if any is NaN."""
    outside = np.flatnonzero(np.isnan(values))
    if len(outside):
        raise SpaceError(
            f"row {outside[0]} of the population",
            f"it is outside the part of {space.name} this metric covers",
            "restrict the space, or pass canonical rows",
        )
    return values


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
        return _eliminate(self.space, self.factors)

    def maximum(self) -> tuple[float, Population]:
        """The exact maximum over the domain and a canonical ``(g,)`` row that attains it."""
        value, row = _eliminate(self.space, [Factor(f.genes, -f.table) for f in self.factors])
        return -value, row


def macs_cost(space: SearchSpace) -> AdditiveCost:
    """Multiply-accumulates of convolutions and linear maps, for one image."""
    return AdditiveCost.from_layers(space, lambda layer: layer.macs)


def params_cost(space: SearchSpace) -> AdditiveCost:
    """Trainable parameters of the active subnet."""
    return AdditiveCost.from_layers(space, lambda layer: layer.params)


def domain_factors(space: SearchSpace) -> list[Factor]:
    """Factors that are 0 on the canonical rows of the space's domain and NaN elsewhere, one per gene."""
    factors = []
    for column, gene in enumerate(space.genes):
        inside, idle = (np.full(len(gene.choices), np.nan) for _ in range(2))
        inside[space.domain[column]] = 0.0
        idle[0] = 0.0
        factors.append(conditional_factor(space, column, inside, idle))
    return factors


def conditional_factor(
    space: SearchSpace, column: int, values: NDArray[np.float64], idle: NDArray[np.float64]
) -> Factor:
    """The factor of one gene, over the gene and the genes that it depends on.

    Args:
        space: of the gene.
        column: of the gene.
        values: ``(choices,)`` if the gene is active.
        idle: ``(choices,)`` if it is inactive.
    """
    controllers = space.conditions.controllers(column)
    table = np.array(values)
    child = column
    for controller in controllers:  # from the gene upwards; each adds a first axis
        active_for = space.genes[child].active_for
        without = np.broadcast_to(idle, table.shape)
        choices = range(len(space.genes[controller].choices))
        table = np.stack([table if choice in active_for else without for choice in choices])
        child = controller
    return Factor((*reversed(controllers), column), table)


def elimination_order(scopes: Sequence[tuple[int, ...]], sizes: Sequence[int]) -> list[int]:
    """Greedy order of genes for variable elimination: next is the gene whose elimination makes the smallest table.

    Args:
        scopes: genes of each factor.
        sizes: number of choices of each gene.
    """
    remaining = [set(s) for s in scopes]
    order: list[int] = []
    pending = sorted(set().union(*remaining))

    def joined(gene: int) -> set[int]:
        return set().union(*(s for s in remaining if gene in s))

    while pending:
        gene = min(pending, key=lambda g: math.prod(sizes[other] for other in joined(g)))
        remaining[:] = [s for s in remaining if gene not in s] + [joined(gene) - {gene}]
        pending.remove(gene)
        order.append(gene)
    return order


def _eliminate(space: SearchSpace, factors: Sequence[Factor]) -> tuple[float, Population]:
    """Min-sum variable elimination (Dechter 1999) with trace-back, over the canonical rows of the domain.

    ``hwnas.search.exact`` builds a tree of buckets once and evaluates it under many weights. For a single minimum, such as a
    check of a budget, building that tree takes 1.5 to 1.8 times as long.
    """
    sizes = [len(g.choices) for g in space.genes]
    finite = [Factor(f.genes, np.where(np.isnan(f.table), np.inf, f.table)) for f in [*factors, *domain_factors(space)]]
    total = sum(float(f.table) for f in finite if not f.genes)
    pending = [f for f in finite if f.genes]
    best_choice: list[tuple[int, tuple[int, ...], NDArray[np.intp]]] = []
    for gene in elimination_order([f.genes for f in pending], sizes):
        joined = [f for f in pending if gene in f.genes]
        scope = tuple(sorted({g for f in joined for g in f.genes} - {gene}))
        table = np.zeros([sizes[g] for g in scope] + [sizes[gene]])
        for factor in joined:
            table = table + aligned(factor.table, factor.genes, (*scope, gene))
        best_choice.append((gene, scope, table.argmin(axis=-1)))
        reduced = table.min(axis=-1)
        pending = [f for f in pending if gene not in f.genes]
        if scope:
            pending.append(Factor(scope, reduced))
        else:
            total += float(reduced)
    row = np.array([d[0] for d in space.domain], dtype=np.int16)
    for gene, scope, choice in reversed(best_choice):
        row[gene] = choice[tuple(row[g] for g in scope)]
    return total, space.canonical(row[None])[0]


def aligned(table: NDArray[np.float64], genes: tuple[int, ...], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """``table`` (one axis per gene, then other axes) with one axis for each of ``axes``, of length 1 for missing genes."""
    order = sorted(range(len(genes)), key=lambda i: axes.index(genes[i]))
    rest = range(len(genes), table.ndim)
    moved = table.transpose([*order, *rest])
    present = {genes[i]: table.shape[i] for i in order}
    return moved.reshape([*(present.get(axis, 1) for axis in axes), *table.shape[len(genes) :]])
