"""Bucket tree: the order in which genes are eliminated, and bounds on the rest of a sum.

Bucket elimination (Dechter 1999). Every gene has a bucket that holds the factors and messages that mention it. To
eliminate the gene, its bucket sends a message over its other genes to a later bucket. Tables are indexed by positions
in the genes' domains, so that restricted spaces are cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._capabilities import Additive
from hwnas.space import Factor, Population, SearchSpace, aligned, domain_factors, elimination_order

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Bucket:
    """One gene, and the factors to sum when it is eliminated.

    Attributes:
        gene: the gene eliminated here; None for the last bucket, which only gathers.
        scope: genes of the message it sends.
        table: ``(*sizes of scope, size of gene, k)`` sums of its factors for k metrics; inf where not allowed.
        children: buckets whose messages arrive here.
    """

    gene: int | None
    scope: tuple[int, ...]
    table: Table
    children: tuple[int, ...]

    @property
    def axes(self) -> tuple[int, ...]:
        """Genes of the table's axes, without the last axis of metrics."""
        return self.scope if self.gene is None else (*self.scope, self.gene)


def choices(space: SearchSpace) -> list[NDArray[np.int16]]:
    """Per gene, the choices that a canonical row may hold: the domain, and 0 if the gene may have no effect."""
    return [
        d if g.controller is None else np.union1d(d, [0]).astype(np.int16)
        for g, d in zip(space.genes, space.domain, strict=True)
    ]


def rows_at(space: SearchSpace, positions: NDArray[np.intp]) -> Population:
    """``(n, g)`` rows by the ``(n, g)`` positions of their genes in `choices`."""
    return np.stack([kept[at] for kept, at in zip(choices(space), positions.T, strict=True)], axis=1)


def build(space: SearchSpace, metrics: Sequence[Additive]) -> list[Bucket]:
    """The bucket tree of k metrics over the canonical rows of a space's domain; the last bucket is the root."""
    kept = choices(space)
    pending: list[tuple[tuple[int, ...], Table | int]] = list(_joint_factors(space, metrics, kept))
    scopes = [genes for genes, _ in pending]
    buckets: list[Bucket] = []
    for gene in [*elimination_order(scopes, [len(c) for c in kept]), None]:
        joined = [p for p in pending if gene is None or gene in p[0]]
        pending = [p for p in pending if gene is not None and gene not in p[0]]
        scope = tuple(sorted({g for genes, _ in joined for g in genes} - {gene}))
        axes = scope if gene is None else (*scope, gene)
        table = np.zeros([*(len(kept[g]) for g in axes), len(metrics)])
        for genes, source in joined:
            if not isinstance(source, int):
                table = table + aligned(source, genes, axes)
        children = tuple(source for _, source in joined if isinstance(source, int))
        pending.append((scope, len(buckets)))
        buckets.append(Bucket(gene, scope, table, children))
    return buckets


def _joint_factors(
    space: SearchSpace, metrics: Sequence[Additive], kept: Sequence[NDArray[np.int16]]
) -> list[tuple[tuple[int, ...], Table]]:
    """All factors with one column per metric, over domain positions; NaN becomes inf in every column."""
    joint: dict[tuple[int, ...], Table] = {}

    def add(factor: Factor, columns: slice | int) -> None:
        table = factor.table[np.ix_(*(kept[g] for g in factor.genes))]
        total = joint.setdefault(factor.genes, np.zeros((*table.shape, len(metrics))))
        total[..., columns] += table[..., None] if isinstance(columns, slice) else table

    for column, metric in enumerate(metrics):
        for factor in metric.factors:
            add(factor, column)
    for factor in domain_factors(space):
        add(factor, slice(None))
    for table in joint.values():
        outside = np.isnan(table).any(axis=-1, keepdims=True)
        np.copyto(table, np.inf, where=outside)
    return list(joint.items())


@dataclass(frozen=True)
class Bounds:
    """Least values of a weighted sum of metrics, split into the parts inside and outside every bucket's message.

    Attributes:
        inside: per bucket, over its scope: the least sum of everything eliminated up to it.
        outside: per bucket, over its scope: the least sum of everything else.
        row: a row of domain positions that attains the minimum, one per gene.
        minimum: the least sum in all.
    """

    inside: list[Table]
    outside: list[Table]
    row: NDArray[np.intp]
    minimum: float


def bounds(buckets: Sequence[Bucket], weights: NDArray[np.float64]) -> Bounds:
    """Exact bounds by one pass up the tree and one down."""
    tables = []
    for bucket in buckets:
        allowed = np.asarray(np.isfinite(bucket.table).all(axis=-1, keepdims=True))
        tables.append(np.where(allowed[..., 0], np.where(allowed, bucket.table, 0.0) @ weights, np.inf))
    inside: list[Table] = []
    best: list[NDArray[np.intp]] = []
    for bucket, table in zip(buckets, tables, strict=True):
        total = table
        for child in bucket.children:
            total = total + aligned(inside[child], buckets[child].scope, bucket.axes)
        inside.append(total if bucket.gene is None else total.min(axis=-1))
        best.append(np.zeros(0, dtype=np.intp) if bucket.gene is None else total.argmin(axis=-1))
    row = np.zeros(len(buckets) - 1, dtype=np.intp)  # the root eliminates no gene
    outside: list[Table] = [np.zeros(())] * len(buckets)
    for i in reversed(range(len(buckets))):
        bucket = buckets[i]
        if bucket.gene is not None:
            row[bucket.gene] = best[i][tuple(row[g] for g in bucket.scope)]
        for child in bucket.children:
            rest = tables[i] + (outside[i] if bucket.gene is None else outside[i][..., None])
            for other in bucket.children:
                if other != child:
                    rest = rest + aligned(inside[other], buckets[other].scope, bucket.axes)
            scope = buckets[child].scope
            kept = [gene for gene in bucket.axes if gene in scope]
            gone = tuple(axis for axis, gene in enumerate(bucket.axes) if gene not in scope)
            outside[child] = rest.min(axis=gone).transpose([kept.index(gene) for gene in scope])
    return Bounds(inside, outside, row, float(inside[-1]))
