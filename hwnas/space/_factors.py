"""Factors: the terms of a metric over slots, as small dense tables whose axes are genes. Indexing them scores a population."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.space._layer import LayerSpec
from hwnas.space._space import SearchSpace


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
