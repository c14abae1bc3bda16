"""Models, measured by the wall clock, and beside it at a controlled speed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from hwnas.graph import Model
from hwnas.latency.timing._block import TOGETHER, ModelTimes, Times, measure_together
from hwnas.latency.timing._runtime import Runtime

T = TypeVar("T")

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what is being done."""

READY_BYTES = 2 << 30
"""Of files whose sessions are ready to run at once. A session takes about as much again: of a language model of 135 million
parameters three and their anchor took 7.2 GiB at the peak, and eight would take some 12 (by 1.2 for each)."""

WANDERING = 1.1
"""From this ratio of the anchor's slow times to its fast ones on, a machine's speed is said to wander."""


@dataclass(frozen=True)
class Measurement:
    """Latency of one model on this device, now.

    Attributes:
        median_ms: median of back-to-back runs by the wall clock.
        p95_ms: 95th percentile of single runs, likewise.
        at_table_speed_ms: the median at the speed at which the anchor's time was stored; None without such an anchor.
        runs: how many.
    """

    median_ms: float
    p95_ms: float
    at_table_speed_ms: float | None
    runs: int

    @classmethod
    def of(cls, times: Times, reference_ms: float | None) -> Measurement:
        """Of what was measured, and the anchor's time in ms at the reference speed."""
        at_speed = None if reference_ms is None else times.ratio * reference_ms
        return cls(times.median_ms, times.p95_ms, at_speed, times.runs)

    def slower(self, factor: float) -> Measurement:
        """The same, where the speed to compare with is lower by a factor."""
        at_speed = self.at_table_speed_ms
        return replace(self, at_table_speed_ms=None if at_speed is None else at_speed * factor)

    @property
    def speed_pct(self) -> float | None:
        """Speed of the machine meanwhile, in percent of the speed at which the anchor's time was stored."""
        return None if self.at_table_speed_ms is None else 100 * self.at_table_speed_ms / self.median_ms


@dataclass(frozen=True)
class Speed:
    """How fast a machine ran while models were measured, by the anchor beside them.

    Attributes:
        pct: of the speed at which the anchor's time was stored; None without a stored time.
        low_pct, high_pct: of the speed in the middle of this measurement: from the slowest tenth to the fastest.
    """

    pct: float | None
    low_pct: float
    high_pct: float

    @classmethod
    def of(cls, anchors_ms: Sequence[float], reference_ms: float | None) -> Speed:
        """Of the anchor's times beside the models, and its time at the reference speed."""
        fast, middle, slow = (float(v) for v in np.quantile(anchors_ms, (0.1, 0.5, 0.9)))
        pct = None if reference_ms is None else 100 * reference_ms / middle
        return cls(pct, 100 * middle / slow, 100 * middle / fast)

    @property
    def wanders(self) -> bool:
        """Whether it changed too much for one figure."""
        return self.high_pct > WANDERING * self.low_pct


def measure_all(
    runtime: Runtime,
    models: Iterator[Model],
    anchor: Model,
    *,
    rng: np.random.Generator,
    nodes: bool = False,
) -> Iterator[list[ModelTimes]]:
    """Times of the models in order, a few at a time, as many as memory holds; models are asked for as they are needed."""
    copies = 2 if nodes else 1
    for few in few_at_a_time(models, lambda model: copies * len(model.content), READY_BYTES):
        yield measure_together(runtime, few, anchor, rng=rng, nodes=nodes)


def few_at_a_time(items: Iterable[T], size: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """The items in order, by `TOGETHER`; fewer, but one at least, where their sizes add up to more than ``most`` bytes."""
    few: list[T] = []
    for item in items:
        if few and sum(map(size, [*few, item])) > most:
            yield few
            few = []
        few.append(item)
        if len(few) == TOGETHER:
            yield few
            few = []
    if few:
        yield few
