"""The subnets that a profile measures: some cover all layers, some span all sizes, and some validate the result."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from hwnas.latency.profiling._cover import covering_set, into_domain
from hwnas.latency.profiling._sizes import by_size
from hwnas.space import Population, SearchSpace, macs_cost

CALIBRATION = (24, 40)
"""Fewest and most whole subnets that calibrate layer times, over all resolutions; between these bounds, two thirds of the number
of layers. With 24 and 40 subnets, predictions of others err by 1.88 and 1.29 % in EfficientNet-Lite0 (57 layers) and by .77 and
.75 % in a MiniLM (14 layers): means of twelve draws on a quiet machine. Eight subnets take 20 seconds."""


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        times: covering subnets that each layer occurs in. By default two, which halve the effect of neighbours and of memory
            layout, or one if subnets are large, because their layers take long enough.
        sessions: how often each calibration and validation subnet is loaded and timed; more often if times do not repeat.
        n_calibration: whole subnets of all sizes that calibrate layer times, at each resolution. More if ``CALIBRATION`` asks
            for more in all, up to a quarter of the space. For layers timed alone the covering subnets calibrate too, and three
            times as many others: their times need more correction.
        n_validation: whole subnets that validate the table: uniform over the space, uniform over genes, and extreme ones.
        method: ``in-context`` or ``isolated``; None for ``in-context`` if the runtime reports node times.
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
        cover: they contain every layer.
        calibration: they span all sizes; for layers timed alone they contain every layer too.
        validation: they take no part in making the table.
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
    calibration = _new(
        np.concatenate([_spanning(part, _n_calibration(part, plan, least), rng) for part in parts]), known
    )
    if plan.method == "isolated":
        calibration = np.concatenate([cover, calibration])
    # Twice as many are drawn, since some may be known already.
    validation = _new(_mixed(checked or space, 2 * plan.n_validation, rng), known)[: plan.n_validation]
    # Shuffled, so that drift during the profile does not look like an effect of the resolution. A space that is too small for
    # three sets is validated on its covering subnets.
    return Subnets(
        rng.permutation(cover),
        rng.permutation(calibration if len(calibration) else cover),
        validation if len(validation) else cover,
    )


def mixed_subnets(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """Up to ``n`` distinct subnets, chosen as for validation: uniform over the space, uniform over genes, and extreme ones."""
    return _new(_mixed(space, n, rng), set())[:n]


def _n_calibration(space: SearchSpace, plan: Plan, least: int) -> int:
    """Number of calibration subnets of one resolution; a small space must keep some for validation."""
    return max(plan.n_calibration, min(least, space.size() // 4)) * (3 if plan.method == "isolated" else 1)


def _spanning(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """``(n, g)``: the lowest and the highest subnet, and others at even steps in the order of MACs.

    Extreme subnets alone would leave a bias of 0.5 %. A random draw may have too few small ones, which show how much faster
    networks are whose weights stay in the cache.
    """
    drawn = by_size(space, np.unique(_mixed(space, 4 * n, rng), axis=0))
    between = drawn[np.linspace(0, len(drawn) - 1, n)[1:-1].astype(int)]
    return np.concatenate([_extreme(space, 2, rng), between])


def _mixed(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """Up to ``n`` rows each, in turn: uniform over the space, uniform over genes, and extreme."""
    drawn = [space.sample(n, rng), space.sample(n, rng, distinct_uniform=False), _extreme(space, n, rng)[2:]]
    return np.array([row for row in chain(*zip_longest(*drawn)) if row is not None], dtype=np.int16)


def _new(rows: Population, known: set[bytes]) -> Population:
    """The distinct rows that are not in ``known``, in order; adds them to ``known``."""
    fresh = []
    for row in rows:
        if row.tobytes() not in known:
            known.add(row.tobytes())
            fresh.append(row)
    return np.array(fresh, dtype=np.int16).reshape(-1, rows.shape[1])


def _extreme(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """``(n, g)`` canonical rows in which most genes of each group have their lowest choice, or most their highest.

    The first two rows are the lowest and the highest subnet.
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
    return into_domain(space, x)


def _is_large(space: SearchSpace) -> bool:
    """Whether the mean MACs of the smallest and the largest subnet are above ``_LARGE``."""
    macs = macs_cost(space)
    return (macs.minimum()[0] + macs.maximum()[0]) / 2 > _LARGE


_LARGE = 1.5e9
"""ResNet50s have 4 G; predictions err by 0.7 % whether their layers are timed in one subnet or in two."""

_SKEW = 0.75
"""Share of a group's genes that have their extreme choice."""
