"""Variation of whole populations: arrays in, arrays out, no loop over individuals.

Genes without effect are 0 in canonical rows. If such a gene gains an effect in a child (by a deeper stage), that 0 is not
a parent's choice. The gene is then taken from the other parent if it has an effect there, or drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Population, SearchSpace

LONE_GENE_RATE = 0.1
"""Least mutation rate of a gene that is the only one of its group, such as the resolution."""


def mutation_rates(space: SearchSpace) -> NDArray[np.float64]:
    """``(g,)`` mutation rate of each gene: one gene per row on average, lone genes more often, 0 with a single choice."""
    free = np.array([len(d) > 1 for d in space.domain])
    rates = np.where(free, 1 / max(int(free.sum()), 1), 0.0)
    for columns in space.groups.values():
        if len(columns) == 1 and free[columns[0]]:
            rates[columns[0]] = max(rates[columns[0]], LONE_GENE_RATE)
    return np.minimum(rates, 1.0)


def mutate(space: SearchSpace, x: Population, rates: NDArray[np.float64], rng: np.random.Generator) -> Population:
    """Re-draw each gene of ``(n, g)`` rows with its rate, to *another* choice of its domain; canonical.

    Genes without effect are left alone.
    """
    before = space.active(x)
    hit = (rng.random(x.shape) < rates) & before
    child = x.copy()
    _, hit_rows = np.nonzero(hit.T)
    hits = np.split(hit_rows, np.cumsum(hit.sum(axis=0))[:-1])
    for column, (domain, rows) in enumerate(zip(space.domain, hits, strict=True)):
        if len(rows) and len(domain) > 1:
            # Draw among the other choices: step over the place of the current one.
            at = np.searchsorted(domain, child[rows, column])
            draw = rng.integers(len(domain) - 1, size=len(rows))
            child[rows, column] = domain[draw + (draw >= at)]
    return wake(space, child, before, rng)


def crossover(space: SearchSpace, a: Population, b: Population, rng: np.random.Generator) -> Population:
    """Uniform crossover of ``(n, g)`` with ``(n, g)`` rows, gene by gene; canonical.

    A gene that has an effect in only one parent comes from that one.
    """
    active_a, active_b = space.active(a), space.active(b)
    from_b = np.where(active_a == active_b, rng.random(a.shape) < 0.5, active_b)
    return wake(space, np.where(from_b, b, a), active_a | active_b, rng)


def wake(space: SearchSpace, child: Population, chosen: NDArray[np.bool_], rng: np.random.Generator) -> Population:
    """Draw the genes that have an effect in ``child`` but not in its parents (``chosen``); returns canonical rows."""
    woken = space.active(child) & ~chosen
    while woken.any():  # again if a drawn gene wakes others
        for column in np.flatnonzero(woken.any(axis=0)):
            rows = np.flatnonzero(woken[:, column])
            domain = space.domain[column]
            child[rows, column] = domain[rng.integers(len(domain), size=len(rows))]
        chosen = chosen | woken
        woken = space.active(child) & ~chosen
    return space.canonical(child)


@dataclass(frozen=True)
class Moves:
    """Every way to change one gene: move ``i`` sets gene ``genes[i]`` to choice ``to[i]``."""

    space: SearchSpace
    genes: NDArray[np.intp]
    to: NDArray[np.int16]

    @classmethod
    def of(cls, space: SearchSpace) -> Moves:
        """All moves in a space's domain; genes with one choice have none."""
        free = [(column, choice) for column, d in enumerate(space.domain) if len(d) > 1 for choice in d.tolist()]
        genes, to = zip(*free, strict=True) if free else ((), ())
        return cls(space, np.array(genes, dtype=np.intp), np.array(to, dtype=np.int16))

    def apply(self, x: Population, rng: np.random.Generator) -> tuple[Population, NDArray[np.bool_]]:
        """All one-gene neighbours of ``(n, g)`` rows.

        Returns:
            ``(n, moves, g)`` canonical rows, and ``(n, moves)``: whether the move changes the row. Woken genes are drawn.
        """
        n, moves = len(x), len(self.genes)
        active = self.space.active(x)
        changes = (x[:, self.genes] != self.to) & active[:, self.genes]
        y = np.repeat(x[:, None], moves, axis=1)
        y[:, np.arange(moves), self.genes] = self.to
        flat = wake(self.space, y.reshape(n * moves, -1), np.repeat(active, moves, axis=0), rng)
        return flat.reshape(n, moves, -1), changes

    def join(self, x: Population, changed: Population, neighbour: Population, move: NDArray[np.intp]) -> Population:
        """Apply one more move to rows that other moves have changed.

        Args:
            x: ``(k, g)`` original rows.
            changed: ``(k, g)`` rows that other moves made of ``x``.
            neighbour: ``(k, g)`` rows that ``move`` alone made of ``x``; genes that it woke are copied.
            move: ``(k,)`` moves.

        Returns:
            ``(k, g)`` canonical rows.
        """
        joined = changed.copy()
        joined[np.arange(len(x)), self.genes[move]] = self.to[move]
        active = self.space.active
        woken = active(neighbour) & ~active(x) & ~active(changed)
        return self.space.canonical(np.where(woken, neighbour, joined))
