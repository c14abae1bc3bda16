"""First-order change of a prediction when one gene changes.

For a sum over active genes, :func:`effects_of` is exact. Structural features are functions of a few such sums (MACs, the
kernels of a stage, ...), so their changes are exact too. Only the RBF part and neural networks use a gradient.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hwnas.predictor._features import Features, GeneGroup, Matrix
from hwnas.predictor._inducing import InducingRbf
from hwnas.space import Population, SearchSpace

_BY_SCALE = "_by_scale"


def effects_of(space: SearchSpace, x: Population, slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, choices)``: first-order change when one gene takes another choice.

    An inactive gene is all zeros in the one-hot encoding. When its controller changes it may become active, with the choice that
    the row holds for it; or an active gene may become inactive.

    Args:
        space: of the rows.
        x: ``(n, g)`` rows with a choice in every gene (``SearchSpace.completed``).
        slopes: ``(n, choices)`` derivatives by the one-hot encoding, numbered as in ``SearchSpace.starts``.
    """
    starts = space.starts
    worth = np.take_along_axis(slopes, starts[:-1] + x, axis=1)
    active = space.active(x)
    effects = (slopes - np.repeat(worth, np.diff(starts), axis=1)) * np.repeat(active, np.diff(starts), axis=1)
    for controller, dependents in space.dependents.items():
        for choice, awake in enumerate(space.awake[controller]):
            switched = awake.astype(float) - active[:, dependents]
            effects[:, starts[controller] + choice] += (switched * worth[:, dependents]).sum(axis=1)
    return effects


def linear_effects(features: Features, x: Population, weights: Mapping[str, Matrix]) -> Matrix:
    """``(n, choices)`` effects of ``sum of part(x) @ weights[part]``.

    Args:
        features: of the space.
        x: ``(n, g)`` rows with a choice in every gene.
        weights: for each part ``(1, k)``, or ``(n, k)`` if they differ by row.
    """
    total = np.zeros((len(x), features.space.starts[-1]))
    merged = dict(weights)
    for part in [name for name in weights if name.endswith(_BY_SCALE)]:
        plain, w = part.removesuffix(_BY_SCALE), merged.pop(part)
        if not features.continuous:
            continue
        value = features.part(plain, x)
        for c, slope in zip(features.continuous, np.split(w, len(features.continuous), axis=1), strict=True):
            z = features.ordinals[c]
            now = z[x[:, c]][:, None]
            total[:, _choices_of(features.space, c)] += (z - now) * (value * slope).sum(axis=1)[:, None]
            merged[plain] = merged.get(plain, 0.0) + slope * now
    for part, w in merged.items():
        total += _EFFECTS[part](features, x, w)
    return total


def _choices_of(space: SearchSpace, gene: int) -> slice:
    return slice(space.starts[gene], space.starts[gene + 1])


def rbf_effects(kernel: InducingRbf, x: Population, weights: NDArray[np.float32]) -> Matrix:
    """``(n, choices)`` effects of ``kernel(x) @ weights`` by its gradient."""
    features = kernel.features
    space, starts = features.space, features.space.starts
    at = (features.ordinal(x) * kernel.inverse_scales).astype(np.float32)
    weighted = kernel.at(at) * weights
    gradient = weighted @ kernel.points - at * weighted.sum(axis=1)[:, None]
    gradient = gradient * kernel.inverse_scales
    slopes = np.zeros((len(x), starts[-1]))
    coordinate = 0
    for c, coordinates in enumerate(features.coordinates):
        width = coordinates.shape[1]
        slopes[:, starts[c] : starts[c + 1]] = gradient[:, coordinate : coordinate + width] @ coordinates.T
        coordinate += width
    return effects_of(space, x, slopes)


def _one_hot(features: Features, x: Population, weights: Matrix) -> Matrix:
    slopes = np.zeros((len(x), features.space.starts[-1]))
    slopes[:, features.one_hot_places] = weights
    return effects_of(features.space, x, slopes)


def _by_stage(features: Features, x: Population, weights: Matrix) -> Matrix:
    space, active = features.space, features.space.active(x)
    result = np.zeros((len(x), space.starts[-1]))
    at = 0
    for group in features.stages:
        columns = list(group.columns)
        values = np.stack([features.values[c][x[:, c]] for c in columns], axis=1)
        total = (values * active[:, columns]).sum(axis=1)[:, None]
        count = active[:, columns].sum(axis=1)[:, None].astype(float)
        touched, more, layers = _changes(features, x, group)
        total_then, count_then = total + more, count + layers
        w = weights[:, at : at + 3, None]
        change = w[:, 0] * more
        change += w[:, 1] * (total_then / np.maximum(count_then, 1) - total / np.maximum(count, 1))
        change += w[:, 2] * (np.log1p(total_then) - np.log1p(total))
        at += 3
        if group.key == features.stages[0].key:
            change += weights[:, at, None] * layers
            at += 1
        result[:, touched] += change
    return result


def _changes(features: Features, x: Population, group: GeneGroup) -> tuple[list[int], Matrix, Matrix]:
    """Choices that change the sum over a group's active genes or their number; the change of the sum, and of the number."""
    space = features.space
    columns = list(group.columns)
    active = space.active(x)[:, columns]
    values = np.stack([features.values[c][x[:, c]] for c in columns], axis=1)
    touched: list[int] = []
    more, layers = [], []
    for i, c in enumerate(columns):
        touched += range(space.starts[c], space.starts[c + 1])
        more.append((features.values[c] - values[:, i, None]) * active[:, i, None])
        layers.append(np.zeros_like(more[-1]))
    for controller in sorted({k for c in columns if (k := space.genes[c].controller) is not None}):
        touched += range(space.starts[controller], space.starts[controller + 1])
        mine = [i for i, c in enumerate(columns) if space.genes[c].controller == controller]
        dependents = [space.dependents[controller].index(columns[i]) for i in mine]
        awake = space.awake[controller][:, dependents].astype(float)
        more.append(values[:, mine] @ awake.T - (values[:, mine] * active[:, mine]).sum(axis=1)[:, None])
        layers.append(awake.sum(axis=1) - active[:, mine].sum(axis=1)[:, None])
    return touched, np.concatenate(more, axis=1), np.concatenate(layers, axis=1)


def _totals(features: Features, x: Population, weights: Matrix) -> Matrix:
    space = features.space
    rows = space.canonical(x)
    result = np.zeros((len(x), space.starts[-1]))
    at = 0
    for cost in features.costs:
        now = np.maximum(cost(rows), 1.0)[:, None]
        then = np.maximum(now + cost.effects(x), 1.0)
        result += weights[:, at, None] * (np.log(then) - np.log(now)) + weights[:, at + 1, None] * (
            1e8 / then - 1e8 / now
        )
        at += 2
    if features.stages:
        slopes = np.zeros((len(x), space.starts[-1]))
        for c in features.layer_genes:
            slopes[:, _choices_of(space, c)] = 1.0
        result += weights[:, at, None] * effects_of(space, x, slopes)
        at += 1
    return result + _continuous_terms(features, x, weights[:, at:])


def _continuous_terms(features: Features, x: Population, weights: Matrix) -> Matrix:
    space = features.space
    result = np.zeros((len(x), space.starts[-1]))
    for i, c in enumerate(features.continuous):
        z, value = features.ordinals[c], np.log(np.maximum(features.values[c], 1e-9))
        terms = np.stack([z, z**2, value])
        w = weights[:, 3 * i : 3 * i + 3]
        result[:, _choices_of(space, c)] = w @ terms - (w * terms[:, x[:, c]].T).sum(axis=1)[:, None]
    return result


_EFFECTS = {"one_hot": _one_hot, "by_stage": _by_stage, "totals": _totals, "continuous_terms": _continuous_terms}
