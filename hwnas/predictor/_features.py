"""Features of a population, derived from its space: masked one-hot, structural summary, ordinal coordinates.

A model on the structural summary (MACs, parameters, depth, sums and means of active kernels and expansions per stage) needs
few subnets and extrapolates. The one-hot part gives every choice of every layer its own effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Gene, Population, SearchSpace, macs_cost, params_cost

Matrix = NDArray[np.float64]

FEATURES_VERSION = 1
"""Increased when the meaning of a feature changes: stored predictors hold the version that they were fitted with."""

_MOST_DISCRETE = 8
"""Numeric genes with more choices than this (the resolution) are continuous: a predictor fitted on a few of their values
interpolates to the rest."""


@dataclass(frozen=True)
class GeneGroup:
    """Genes of one arch key within one stage, such as the kernels of stage 2; they share a length scale."""

    key: str
    stage: str
    columns: tuple[int, ...]


class Features:
    """Features of canonical populations of one unrestricted space; methods map ``(n, g)`` rows to ``(n, k)``.

    Attributes:
        continuous, discrete: columns of continuous genes (resolutions), and of all others.
        values: for each gene, its choices as numbers.
        ordinals: for each gene, its choices scaled to [-1, 1].
        coordinates: for each gene, ``(choices, d)`` points; choices that are names are equally far apart.
        one_hot_places: the choice of each one-hot feature, numbered as in ``SearchSpace.starts``.
        stages: groups of genes by key and stage.
        layer_genes: one gene of every layer that a depth gene may switch off.
        costs: MACs and parameters.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.continuous = [c for c, gene in enumerate(space.genes) if is_continuous(gene)]
        self.discrete = [c for c in range(space.n_genes) if c not in self.continuous]
        self.values = [_numbers(gene) for gene in space.genes]
        self.ordinals = [_centred(values) for values in self.values]
        self.coordinates = [
            np.eye(len(gene.choices)) if any(isinstance(v, str) for v in gene.choices) else z[:, None]
            for gene, z in zip(space.genes, self.ordinals, strict=True)
        ]
        sizes = [len(space.genes[c].choices) for c in self.discrete]
        self._offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self.n_one_hot = int(sum(sizes))
        starts = space.starts
        places = [np.arange(starts[c], starts[c + 1]) for c in self.discrete]
        self.one_hot_places = np.concatenate([np.zeros(0, np.int64), *places])
        self.stages = _stages(space)
        self.layer_genes = [c for g in self.stages if g.key == self.stages[0].key for c in g.columns]
        self.costs = [macs_cost(space), params_cost(space)] if space.slots else []

    def one_hot(self, x: Population) -> Matrix:
        """One column per choice of each discrete gene; inactive genes are all zero."""
        active = self.space.active(x)[:, self.discrete]
        out = np.zeros((len(x), self.n_one_hot))
        columns = x[:, self.discrete] + self._offsets
        out[np.arange(len(x))[:, None], columns] = active
        return out

    def part(self, name: str, x: Population) -> Matrix:
        """The features of one part, named by its method."""
        return np.asarray(getattr(self, name)(x))

    def dot(self, part: str, x: Population, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n,)``: ``part(x) @ weights``, without building one-hot matrices."""
        if part == "one_hot":
            terms = weights[x[:, self.discrete] + self._offsets]
            terms *= self.space.active(x)[:, self.discrete]
            return np.asarray(terms.sum(axis=1))
        if part == "one_hot_by_scale" and self.continuous:
            slopes = weights.reshape(len(self.continuous), -1)
            parts = [self.dot("one_hot", x, w) * z for w, z in zip(slopes, self._scales(x).T, strict=True)]
            return np.asarray(np.sum(parts, axis=0))
        return np.asarray(self.part(part, x) @ weights)

    def totals(self, x: Population) -> Matrix:
        """Features of the whole network: log and inverse of MACs and parameters, total depth, continuous genes."""
        columns: list[NDArray[np.float64]] = []
        for cost in self.costs:
            value = np.maximum(cost(x), 1.0)
            columns += [np.log(value), 1e8 / value]
        if self.stages:
            columns.append(self.space.active(x)[:, self.layer_genes].sum(axis=1).astype(float))
        return np.concatenate([np.reshape(columns, (-1, len(x))).T, self.continuous_terms(x)], axis=1)

    def by_stage(self, x: Population) -> Matrix:
        """For each group of genes in a stage: sum, mean and log of the sum; and the depth of each stage."""
        active = self.space.active(x)
        columns: list[NDArray[np.float64]] = []
        for group in self.stages:
            on = active[:, group.columns]
            count = on.sum(axis=1).astype(float)
            values = np.stack([self.values[c][x[:, c]] for c in group.columns], axis=1)
            total = (values * on).sum(axis=1)
            columns += [total, total / np.maximum(count, 1), np.log1p(total)]
            if group.key == self.stages[0].key:
                columns.append(count)
        return np.reshape(columns, (-1, len(x))).T

    def _scales(self, x: Population) -> Matrix:
        """``(n, continuous)``: continuous genes scaled to [-1, 1]."""
        return np.stack([self.ordinals[c][x[:, c]] for c in self.continuous], axis=1) if self.continuous else _none(x)

    def one_hot_by_scale(self, x: Population) -> Matrix:
        """The one-hot part times each continuous gene: the effect of a choice may depend on the resolution."""
        one_hot = self.one_hot(x)
        return np.concatenate([_none(x), *(one_hot * z[:, None] for z in self._scales(x).T)], axis=1)

    def by_stage_by_scale(self, x: Population) -> Matrix:
        """The stage part times each continuous gene."""
        by_stage = self.by_stage(x)
        return np.concatenate([_none(x), *(by_stage * z[:, None] for z in self._scales(x).T)], axis=1)

    def continuous_terms(self, x: Population) -> Matrix:
        """Value, square and logarithm of continuous genes."""
        columns = []
        for c in self.continuous:
            z = self.ordinals[c][x[:, c]]
            columns += [z, z**2, np.log(np.maximum(self.values[c][x[:, c]], 1e-9))]
        return np.stack(columns, axis=1) if columns else _none(x)

    def at_resolutions_of(self, x: Population, rng: np.random.Generator) -> Population:
        """``(1000, g)`` random rows of the whole space with the continuous genes of random rows of ``x``."""
        rows = self.space.sample(1000, rng, distinct_uniform=False)
        rows[:, self.continuous] = x[rng.integers(len(x), size=len(rows))][:, self.continuous]
        return rows

    def ordinal(self, x: Population) -> Matrix:
        """Each gene's choice scaled to [-1, 1], or one-hot if its choices are names; inactive genes are 0."""
        active = self.space.active(x)
        return np.concatenate([z[x[:, c]] * active[:, c, None] for c, z in enumerate(self.coordinates)], axis=1)

    def group_distances(self, x: Population) -> Matrix:
        """``(groups, n, n)`` squared distances between rows within each group of ordinal coordinates."""
        ordinal, groups = self.ordinal(x), self.length_groups()
        distances = []
        for g in range(int(groups.max()) + 1):
            c = ordinal[:, groups == g]
            square = (c**2).sum(axis=1)
            distances.append(np.maximum(square[:, None] + square - 2 * c @ c.T, 0))
        return np.array(distances)

    def length_groups(self) -> NDArray[np.intp]:
        """Index of the length scale of each ordinal coordinate; genes of one key and stage share a length scale."""
        names = {c: f"{group.key} {group.stage}" for group in self.stages for c in group.columns}
        labels = [
            names.get(c, gene.group)
            for c, (gene, z) in enumerate(zip(self.space.genes, self.coordinates, strict=True))
            for _ in range(z.shape[1])
        ]
        distinct = list(dict.fromkeys(labels))
        return np.array([distinct.index(label) for label in labels], dtype=np.intp)


def _none(x: Population) -> Matrix:
    return np.zeros((len(x), 0))


def is_continuous(gene: Gene) -> bool:
    """Whether to interpolate between a gene's choices, as between resolutions."""
    return len(gene.choices) > _MOST_DISCRETE and all(isinstance(v, int | float) for v in gene.choices)


def _numbers(gene: Gene) -> NDArray[np.float64]:
    if all(isinstance(v, int | float) for v in gene.choices):
        return np.array(gene.choices, dtype=float)
    return np.arange(len(gene.choices), dtype=float)


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = values.min(), values.max()
    return (2 * values - low - high) / (high - low) if high > low else np.zeros(len(values))


def _stages(space: SearchSpace) -> list[GeneGroup]:
    """Groups of genes by arch key and stage.

    A stage is named after its depth gene. The first layers of a stage always run, so their genes have no controller: they belong
    to the stage of the next gene of the same key that has one.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for key, columns in space.groups.items():
        if not any(space.genes[c].controller is not None for c in columns):
            continue
        stage = "tail"
        for c in reversed(columns):
            controller = space.genes[c].controller
            if controller is not None:
                stage = space.genes[controller].name
            groups.setdefault((key, stage), []).append(c)
    return [GeneGroup(key, stage, tuple(sorted(columns))) for (key, stage), columns in sorted(groups.items())]
