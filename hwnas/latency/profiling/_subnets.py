"""Which subnets a profile measures: that cover all layers, that span all sizes, and that check the result."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from hwnas.latency.profiling._cover import covering_set, woken
from hwnas.space import Population, SearchSpace, macs_cost

CALIBRATION = (24, 40)
"""Least and most whole subnets that layers are brought into line with, however few resolutions there are; between the two it is
two thirds of the layers. With 24 and 40, means of twelve draws on a quiet machine, others err by 1.88 and 1.29 % on average in
EfficientNet-Lite0, which has 57 layers, and by .77 and .75 % in a MiniLM, which has 14. Eight take 20 seconds."""


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        times: subnets that each layer is seen in; by default two, which halve the effect of neighbours and of a
            session's memory layout, or one where subnets are large: their layers take long enough.
        sessions: how often each subnet of the last two kinds is loaded and timed anew; more often where times do not repeat.
        n_calibration: whole subnets of all sizes at each resolution that the layers are brought into line with; more of them
            where these are fewer in all than ``CALIBRATION`` asks for, but then no more than a quarter of the space. Layers
            timed alone take the covering ones and three times as many: they have much more to learn from them.
        n_validation: whole subnets kept to check the sums: drawn uniformly, as upstream draws them, and extreme ones.
        method: ``in-context`` or ``isolated``; None for in-context where the runtime tells the times of nodes.
        seed: of the choice of subnets and the order of runs.
    """

    times: int | None = None
    sessions: int = 2
    n_calibration: int = 8
    n_validation: int = 36
    method: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Subnets:
    """Three sets of distinct subnets.

    Attributes:
        cover: show every layer.
        calibration: span all sizes; where layers are timed alone, they show every layer too.
        validation: take no part in the table.
    """

    cover: Population
    calibration: Population
    validation: Population


def choose_subnets(space: SearchSpace, plan: Plan, checked: SearchSpace | None = None) -> Subnets:
    """The same subnets for the same space, domain and plan.

    Args:
        space: what is profiled.
        plan: how much is measured.
        checked: what the validation is drawn from; by default ``space``.
    """
    rng = np.random.default_rng([plan.seed, 1])
    parts = list(space.by_input())
    times = plan.times or (1 if _is_large(space) else 2)
    cover = np.concatenate([covering_set(part, rng, times=times) for part in parts])
    known: set[bytes] = set()
    cover = _new(cover, known)
    least = -(-int(np.clip(2 * len(space.layers()) / 3, *CALIBRATION)) // len(parts))
    calibration = _new(np.concatenate([_spanning(part, _calibrating(part, plan, least), rng) for part in parts]), known)
    if plan.method == "isolated":
        calibration = np.concatenate([cover, calibration])
    # More than are needed, since some may be known already.
    validation = _new(_mixed(checked or space, 2 * plan.n_validation, rng), known)[: plan.n_validation]
    # A space too small for all three is checked against what it was made of.
    # Shuffled, so that drift during the profile does not look like an effect of the resolution.
    return Subnets(
        rng.permutation(cover),
        rng.permutation(calibration if len(calibration) else cover),
        validation if len(validation) else cover,
    )


def mixed_subnets(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """Up to ``n`` distinct subnets as those that validate: uniform ones, as upstream draws them, extreme ones."""
    return _new(_mixed(space, n, rng), set())[:n]


def _calibrating(space: SearchSpace, plan: Plan, least: int) -> int:
    """How many subnets of one resolution calibrate; of a small space some must be left to check the table."""
    return max(plan.n_calibration, min(least, space.size() // 4)) * (3 if plan.method == "isolated" else 1)


def _spanning(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """``(n, g)``: the lowest and the highest subnet, and others between, evenly by the order of their MACs.

    Extreme ones alone would leave a bias of 0.5 %; of ones drawn by chance too few may be small, and those tell what
    networks take less where their weights stay in a cache.
    """
    drawn = np.unique(_mixed(space, 4 * n, rng), axis=0)
    order = np.argsort(macs_cost(space)(drawn), kind="stable")
    between = drawn[order[np.linspace(0, len(drawn) - 1, n)[1:-1].astype(int)]]
    return np.concatenate([_extreme(space, 2, rng), between])


def _mixed(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """Three kinds in turn, up to ``n`` rows of each."""
    drawn = [space.sample(n, rng), space.sample(n, rng, distinct_uniform=False), _extreme(space, n, rng)[2:]]
    return np.array([row for row in chain(*zip_longest(*drawn)) if row is not None], dtype=np.int16)


def _new(rows: Population, known: set[bytes]) -> Population:
    """The distinct rows that are not known yet, in order; they are known from then on."""
    fresh = []
    for row in rows:
        if row.tobytes() not in known:
            known.add(row.tobytes())
            fresh.append(row)
    return np.array(fresh, dtype=np.int16).reshape(-1, rows.shape[1])


def _extreme(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """``(n, g)`` canonical rows, skewed: of each group of genes most are at their lowest choice, or most at their highest.

    The first two are the lowest and the highest of all.
    """
    x = space.sample(n, rng, distinct_uniform=False)
    for columns in space.groups.values():
        high = rng.permutation(np.arange(n) % 2).astype(bool)
        high[:2] = False, True
        for column in (c for c in columns if c not in space.input_genes):
            domain: NDArray[np.int16] = space.domain[column]
            skewed = rng.random(n) < _SKEW
            skewed[:2] = True
            x[skewed & high, column] = domain[-1]
            x[skewed & ~high, column] = domain[0]
    return woken(space, x)


def _is_large(space: SearchSpace) -> bool:
    """Whether the cheapest and the dearest subnet have more than ``_LARGE`` MACs on average."""
    macs = macs_cost(space)
    return (macs.minimum()[0] + macs.maximum()[0]) / 2 > _LARGE


_LARGE = 1.5e9
"""ResNet50s take 4 G; with their layers seen in one subnet, predictions err by 0.7 % as with two."""

_SKEW = 0.75
"""Share of a group's genes that are at its extreme."""
