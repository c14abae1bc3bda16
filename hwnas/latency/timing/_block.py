"""Measuring a few models together: their ratios to the anchor, and the times of their nodes.

Sessions hold weights and buffers, so only a few models are loaded at a time. An interruption loses at most these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hwnas.graph import Model
from hwnas.latency.timing._loop import time_in_rounds
from hwnas.latency.timing._runtime import NodeTimes, Runtime
from hwnas.latency.timing._samples import Samples

TOGETHER = 8
"""Models that are loaded at once."""

ROUNDS = (3, 12)
"""Fewest and most rounds; large models get fewer, and need fewer."""

SECONDS_PER_MODEL = 1.25
"""Timing of one model, including its share of the anchor's runs. A model that takes longer to load is timed for that long."""


@dataclass(frozen=True)
class Times:
    """The measured times of one model.

    Attributes:
        ratio: its time as a multiple of the anchor's time just before and after.
        median_ms, p95_ms: percentiles of single runs by the wall clock.
        anchor_ms: median of the anchor's runs just before and after.
        runs: number of timed runs.
        waited: share of the model's and the anchor's runs that waited for a core while another process held it.
    """

    ratio: float
    median_ms: float
    p95_ms: float
    anchor_ms: float
    runs: int
    waited: float = field(default=0.0, kw_only=True)


@dataclass(frozen=True)
class ModelTimes(Times):
    """Times of a model and, if they were asked for, of the nodes in each profiled run."""

    nodes: Sequence[NodeTimes] | None = field(default=None, repr=False)


def measure_together(
    runtime: Runtime, models: Sequence[Model], anchor: Model, *, rng: np.random.Generator, nodes: bool = False
) -> list[ModelTimes]:
    """Time models in interleaved rounds: blocks of runs of each model, between blocks of the anchor.

    The anchor is loaded anew in each call, because its place in memory moves its time, and so all ratios, by 1 %.

    Args:
        runtime: makes the sessions.
        models: all are in memory at once.
        anchor: the model they are compared with.
        rng: draws the order of each round.
        nodes: also time the nodes of each model.
    """
    began = runtime.clock()
    beside = runtime.session(anchor)
    plain, profiled = [], []
    for model in models:
        plain.append(runtime.session(model))
        if nodes:
            profiled.append(runtime.profiled(model))
    loading = 1e-9 * (runtime.clock() - began) / (1 + len(models))
    _, times, anchors, kept = time_in_rounds(
        beside,
        plain,
        profiled,
        bounds=ROUNDS,
        seconds_per_network=max(SECONDS_PER_MODEL, loading),
        rng=rng,
        clock=runtime.clock,
        waiting=runtime.waiting,
    )
    runs = []
    for session, places in zip(profiled, kept, strict=True):
        every = session.finish()
        runs.append([every[i] for i in places])
    return times_of(Samples(times, anchors), runs if nodes else None)


def times_of(samples: Samples, nodes: Sequence[Sequence[NodeTimes]] | None) -> list[ModelTimes]:
    """The times of models from their raw samples; ``nodes`` holds the node times of each model's profiled runs, if asked for."""
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


def median_times(sessions: Sequence[Times]) -> Times:
    """The median over the sessions of one model: another process may have disturbed one whole session."""
    names = ("ratio", "median_ms", "p95_ms", "anchor_ms", "waited")
    medians = {name: float(np.median([getattr(s, name) for s in sessions])) for name in names}
    return Times(**medians, runs=sum(s.runs for s in sessions))
