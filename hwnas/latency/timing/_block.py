"""Measuring a handful of models together: ratios to the anchor, and the times of their nodes.

Sessions hold weights and buffers, so a few models at a time are ready to run; one such handful is
also what an interruption can lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hwnas.graph import Model
from hwnas.latency.timing._loop import Timed, kept_runs, record, rounds_that_fit, warm_up
from hwnas.latency.timing._runtime import NodeTimes, Runtime
from hwnas.latency.timing._samples import Samples

TOGETHER = 8
"""Models ready to run at once."""

ROUNDS = (3, 12)
"""Fewest and most rounds; large models get fewer, and need fewer."""

SECONDS_PER_MODEL = 1.25
"""That a model is timed for, its anchor's part included; one that takes longer to load is timed for as long as that."""


@dataclass(frozen=True)
class Times:
    """The measured times of one model.

    Attributes:
        ratio: its time as a multiple of the anchor's beside it.
        median_ms: by the wall clock, of single runs.
        p95_ms: 95th percentile, likewise.
        anchor_ms: median of the anchor's runs beside it, likewise.
        runs: timed runs.
        waited: share of them, and of the anchor's, that waited for a core which another process held.
    """

    ratio: float
    median_ms: float
    p95_ms: float
    anchor_ms: float
    runs: int
    waited: float = field(default=0.0, kw_only=True)


@dataclass(frozen=True)
class ModelTimes(Times):
    """Times of a model, and of the nodes in its profiled runs; None for these if not asked for."""

    nodes: Sequence[NodeTimes] | None = field(default=None, repr=False)


def measure_together(
    runtime: Runtime, models: Sequence[Model], anchor: Model, *, rng: np.random.Generator, nodes: bool = False
) -> list[ModelTimes]:
    """Time models in blocks of runs next to the anchor's, in interleaved rounds.

    The anchor is loaded anew each time, because where its memory lies moves its time, and so all ratios, by 1 %.

    Args:
        runtime: makes the sessions.
        models: a few; all are in memory at once.
        anchor: the model they are compared with.
        rng: draws the orders.
        nodes: also profile the nodes of each model.
    """
    began = runtime.clock()
    reference = runtime.session(anchor)
    plain, profiled = [], []
    for model in models:
        plain.append(runtime.session(model))
        if nodes:
            profiled.append(runtime.profiled(model))
    loading = 1e-9 * (runtime.clock() - began) / (1 + len(models))
    warm_up([reference, *plain, *profiled])
    first, sessions, beside = (
        [Timed(session, runtime.clock) for session in group] for group in ([reference], plain, profiled)
    )
    rounds = rounds_that_fit([*first, *sessions, *beside], len(models), ROUNDS, max(SECONDS_PER_MODEL, loading))
    samples = Samples(
        *record(sessions, *first, rounds=rounds, rng=rng, clock=runtime.clock, waiting=runtime.waiting, beside=beside)
    )
    runs = []
    for session, timed in zip(profiled, beside, strict=True):
        every = session.finish()
        runs.append([every[i] for i in kept_runs(timed, rounds)])
    return times_of(samples, runs if nodes else None)


def times_of(samples: Samples, nodes: Sequence[Sequence[NodeTimes]] | None) -> list[ModelTimes]:
    """The times and node times of some models, from their raw samples.

    Args:
        samples: their times, and the anchor's beside them.
        nodes: per model the node times of its profiled runs; None if they are not asked for.
    """
    ratios, medians, p95s = samples.ratios(), samples.medians_ms(), samples.p95s_ms()
    waited, anchors = samples.waited(), samples.anchors_ms()
    return [
        ModelTimes(
            ratio=float(ratios[i]),
            median_ms=float(medians[i]),
            p95_ms=float(p95s[i]),
            anchor_ms=float(anchors[i]),
            runs=samples.times[i].shape[0] * samples.times[i].shape[1],
            waited=float(waited[i]),
            nodes=nodes[i] if nodes is not None else None,
        )
        for i in range(len(samples.times))
    ]


def middle_of(sessions: Sequence[Times]) -> Times:
    """The median over sessions of one model: of several, one may have been disturbed all along."""
    names = ("ratio", "median_ms", "p95_ms", "anchor_ms", "waited")
    medians = {name: float(np.median([getattr(s, name) for s in sessions])) for name in names}
    return Times(**medians, runs=sum(s.runs for s in sessions))
