"""Which subnets to evaluate next: a diverse batch, chosen greedily by expected hypervolume improvement.

All costs are minimised here. A metric that is known exactly has standard deviation 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.search.problem._pareto import non_dominated

Costs = NDArray[np.float64]

SAMPLES = 2048
"""Points of the Monte Carlo integral for more than two objectives."""

_CHUNK = 64


def expected_shortfall(t: Costs, mean: Costs, std: Costs) -> Costs:
    """``E[max(t - F, 0)]`` for independent normal ``F``; simply ``max(t - mean, 0)`` where ``std`` is 0."""
    gain = t - mean
    z = gain / np.where(std > 0, std, 1.0)
    smooth = gain * chance_below(t, mean, std) + std * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.asarray(np.where(std > 0, smooth, np.maximum(gain, 0.0)))


def chance_below(t: Costs, mean: Costs, std: Costs) -> Costs:
    """``P(F <= t)`` for normal ``F``; 0 or 1 where ``std`` is 0."""
    from scipy.special import ndtr  # 0.1 s to import, and most searches do not need it

    return np.asarray(np.where(std > 0, ndtr((t - mean) / np.where(std > 0, std, 1.0)), t >= mean))


class ExpectedImprovement:
    """Expected gain of hypervolume by one more evaluation (Emmerich et al. 2006).

    Args:
        reference: ``(m,)`` point that bounds the hypervolume.
        ideal: ``(m,)`` point below all expected costs; it bounds the integral for more than two objectives.
        front: ``(k, m)`` non-dominated costs.
    """

    def __init__(self, reference: Costs, ideal: Costs, front: Costs) -> None:
        self.reference = reference
        self.front = front[(front < reference).all(axis=1)]
        if len(reference) > 2:
            unit = np.random.default_rng(0).random((SAMPLES, len(reference)))
            self._points = ideal + unit * (reference - ideal)
            self._volume = float(np.prod(reference - ideal)) / SAMPLES
            self._remove(self.front)

    def believe(self, cost: Costs) -> None:
        """Add a predicted ``(m,)`` cost to the front as if it were measured, so that the next choice adds something else."""
        front = np.concatenate([self.front, cost[None]])
        front = front[(front < self.reference).all(axis=1)]
        self.front = front[non_dominated(front)]
        if len(self.reference) > 2:
            self._remove(cost[None])

    def __call__(self, mean: Costs, std: Costs) -> NDArray[np.float64]:
        """``(n,)`` expected gains of subnets with ``(n, m)`` predicted costs and their standard deviations."""
        m = len(self.reference)
        if m == 1:
            best = min(float(self.reference[0]), float(self.front.min(initial=np.inf)))
            return expected_shortfall(np.array(best), mean[:, 0], std[:, 0])
        if m == 2:
            return self._by_strips(mean, std)
        return self._by_points(mean, std)

    def _by_strips(self, mean: Costs, std: Costs) -> NDArray[np.float64]:
        """Exact gain: cut the undominated region into strips along the last cost; in each strip the gain is a product."""
        front = self.front[np.argsort(self.front[:, 1])]
        edges = np.concatenate([front[:, 1], self.reference[1:]])
        levels = np.concatenate([self.reference[:1], front[:, 0]])
        below = expected_shortfall(edges[None], mean[:, 1:], std[:, 1:])
        widths = np.diff(below, axis=1, prepend=0.0)
        gains: NDArray[np.float64] = (widths * expected_shortfall(levels[None], mean[:, :1], std[:, :1])).sum(axis=1)
        return gains

    def _by_points(self, mean: Costs, std: Costs) -> NDArray[np.float64]:
        """Integral over the undominated region: the chance that the subnet dominates each point of it."""
        chance = np.ones((len(mean), len(self._points)))
        for column in range(mean.shape[1]):
            chance *= chance_below(self._points[None, :, column], mean[:, column, None], std[:, column, None])
        return np.asarray(chance.sum(axis=1) * self._volume)

    def _remove(self, front: Costs) -> None:
        for cost in front:
            self._points = self._points[~(cost <= self._points).all(axis=1)]


class Gain(Protocol):
    """The expected gain of evaluating a candidate row, given by its index."""

    def __call__(self, rows: NDArray[np.intp], /) -> NDArray[np.float64]:
        """``(n,)`` gains of n rows. A gain only falls when other rows are believed."""

    def believe(self, row: int, /) -> None:
        """Treat a row as evaluated, so that the next one adds something else."""


class IndependentGain:
    """Gains under independent prediction errors. A chosen row is believed to have its predicted cost.

    Args:
        improvement: it is changed by ``believe``.
        mean: ``(n, m)`` predicted costs.
        std: ``(n, m)`` standard deviations.
    """

    def __init__(self, improvement: ExpectedImprovement, mean: Costs, std: Costs) -> None:
        self._improvement, self._mean, self._std = improvement, mean, std

    def __call__(self, rows: NDArray[np.intp], /) -> NDArray[np.float64]:
        """See Gain."""
        return self._improvement(self._mean[rows], self._std[rows])

    def believe(self, row: int, /) -> None:
        """See Gain."""
        self._improvement.believe(self._mean[row])


class JointGain:
    """Gains under correlated prediction errors: the mean over joint draws. In each draw, rows that are believed have the
    costs drawn for them.

    If one shared error makes several subnets look good, they add little to each other: all of them are good in the
    same draws, where one is enough (Daulton et al. 2020, "Differentiable Expected Hypervolume Improvement for Parallel
    Multi-Objective Bayesian Optimization", arXiv:2006.05078).

    Args:
        reference, ideal: see ExpectedImprovement.
        front: ``(k, m)`` known non-dominated costs.
        drawn: ``(draws, n, m)`` costs of n rows.
        pending: ``(draws, p, m)`` costs of rows that are believed from the start.
    """

    def __init__(self, reference: Costs, ideal: Costs, front: Costs, drawn: Costs, pending: Costs) -> None:
        self._drawn, self._sure = drawn, np.zeros_like(drawn[0])
        self._improvements = []
        for believed in pending:
            joined = np.concatenate([front, believed])
            self._improvements.append(ExpectedImprovement(reference, ideal, joined[non_dominated(joined)]))

    def __call__(self, rows: NDArray[np.intp], /) -> NDArray[np.float64]:
        """See Gain."""
        each = zip(self._improvements, self._drawn, strict=True)
        return np.asarray(np.mean([gain(costs[rows], self._sure[rows]) for gain, costs in each], axis=0))

    def believe(self, row: int, /) -> None:
        """See Gain."""
        for gain, costs in zip(self._improvements, self._drawn, strict=True):
            gain.believe(costs[row])


def greedily(gain: Gain, weight: NDArray[np.float64]) -> Iterator[tuple[int, float]]:
    """Rows with their gains, the largest first. Each gain assumes that the earlier rows were evaluated as expected, so the
    gains add up to the joint gain.

    Args:
        gain: of n rows; it is changed, as it believes the rows that are chosen.
        weight: ``(n,)`` factors of the gain, such as the chance to meet the budgets.
    """
    bound = gain(np.arange(len(weight))) * weight
    n_left = len(weight)
    while n_left:
        # Gains only fall while rows are chosen, so an old gain is an upper bound.
        top = np.argsort(-bound, kind="stable")[: min(_CHUNK, n_left)]
        bound[top] = gain(top) * weight[top]
        best = int(top[bound[top].argmax()])
        if bound[best] < bound.max():
            continue
        yield best, float(bound[best])
        gain.believe(best)
        bound[best] = -np.inf
        n_left -= 1


def choose_batch(gain: Gain, weight: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """``(<= size,)`` rows of a diverse batch, see :func:`greedily`."""
    return np.array([row for row, _ in islice(greedily(gain, weight), size)], dtype=np.intp)
