"""A small set of whole subnets that contains every layer of a space."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from hwnas.space import AdditiveCost, Factor, Population, SearchSpace

_SWEEPS = 3
"""Passes of the coordinate ascent, which are enough to converge."""


def covering_set(space: SearchSpace, rng: np.random.Generator, times: int) -> Population:
    """``(n, g)`` canonical rows such that every layer of the space's domain occurs in at least ``times`` of them.

    Greedy: each new row contains as many as possible of the layers that are still needed. Variable elimination finds the best
    row for an additive count, in which a layer that occurs in two slots counts twice; coordinate ascent on the true count
    improves it. ``rng`` breaks ties, so that layers meet different neighbours.
    """
    wanted = set(space.layers())
    layers = _SlotLayers(space)
    seen: Counter[str] = Counter()
    rows: list[NDArray[np.int16]] = []
    while any(seen[key] < times for key in wanted):
        gain = {key: float(times - seen[key]) if seen[key] < times else 0.0 for key in wanted}
        row = _improved(space, layers, _best_guess(space, layers, gain, rng), gain, rng)
        rows.append(row)
        seen.update(layers.keys(row))
    return np.array(rows, dtype=np.int16).reshape(-1, space.n_genes)


class _SlotLayers:
    """The layer of every setting of every slot of the domain."""

    def __init__(self, space: SearchSpace) -> None:
        self.tables = [(slot.genes, dict(space.slot_layers(slot))) for slot in space.slots]

    def keys(self, row: NDArray[np.int16]) -> set[str]:
        """Keys of the distinct layers of a canonical row."""
        choices = row.tolist()
        layers = (table[tuple([choices[g] for g in genes])] for genes, table in self.tables)
        return {layer.key for layer in layers if layer is not None}


def _best_guess(
    space: SearchSpace, layers: _SlotLayers, gain: dict[str, float], rng: np.random.Generator
) -> NDArray[np.int16]:
    factors = []
    for genes, table in layers.tables:
        costs = np.full([len(space.genes[c].choices) for c in genes], np.nan)
        for setting, layer in table.items():
            noise = 1e-3 * rng.random()
            costs[setting] = noise if layer is None else noise - gain.get(layer.key, 0.0) * (1 + 0.1 * rng.random())
        factors.append(Factor(genes, costs))
    return AdditiveCost(space, factors).minimum()[1]


def _improved(
    space: SearchSpace,
    layers: _SlotLayers,
    row: NDArray[np.int16],
    gain: dict[str, float],
    rng: np.random.Generator,
) -> NDArray[np.int16]:
    def value(candidate: NDArray[np.int16]) -> float:
        return sum(gain.get(key, 0.0) for key in layers.keys(candidate))

    best = value(row)
    for _ in range(_SWEEPS):
        before = best
        for column in rng.permutation(space.n_genes).tolist():
            if not space.active(row[None])[0, column]:
                continue
            for choice in rng.permutation(space.domain[column]).tolist():
                candidate = _changed(space, row, column, choice)
                if (found := value(candidate)) > best:
                    row, best = candidate, found
        if best == before:
            break
    return row


def _changed(space: SearchSpace, row: NDArray[np.int16], column: int, choice: int) -> NDArray[np.int16]:
    """The canonical row with another choice in ``column``."""
    changed = row.copy()
    changed[column] = choice
    found: NDArray[np.int16] = into_domain(space, changed[None])[0]
    return found


def into_domain(space: SearchSpace, x: Population) -> Population:
    """Canonical rows in the domain, after a change of genes: a gene whose choice is outside the domain gets its lowest choice."""
    inside = space.allowed[space.starts[:-1] + x]
    return space.canonical(np.where(inside, x, [d[0] for d in space.domain]))
