"""Latencies of models: by the wall clock, and corrected to a reference speed of the machine."""

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
"""Called with the number of steps done, the number of all steps, and the name of the current stage."""

READY_BYTES = 2 << 30
"""Largest total size of the model files that are loaded at once. A session takes about as much again: three sessions of a
language model of 540 MB and their anchor took 7.2 GiB at the peak. Loading such files one at a time was tried, because sessions
differ by the order of loading (see `benchmarks/huge_pages.py`): a profile then took more than twice as long."""

WANDERING = 1.1
"""A machine's speed wanders if the anchor's slow times are at least this multiple of its fast times."""


@dataclass(frozen=True)
class Measurement:
    """Latency of one model on this device, now.

    Attributes:
        median_ms: median of back-to-back runs by the wall clock.
        p95_ms: 95th percentile of single runs by the wall clock.
        at_table_speed_ms: the median at the speed at which a table stored the anchor's time; None without a stored time.
        runs: number of timed runs.
    """

    median_ms: float
    p95_ms: float
    at_table_speed_ms: float | None
    runs: int

    @classmethod
    def of(cls, times: Times, anchor_ms: float | None) -> Measurement:
        """From measured times, and the anchor's time in ms at the table's speed."""
        at_speed = None if anchor_ms is None else times.ratio * anchor_ms
        return cls(times.median_ms, times.p95_ms, at_speed, times.runs)

    def slower(self, factor: float) -> Measurement:
        """The same measurement, compared with a speed that is lower by a factor."""
        at_speed = self.at_table_speed_ms
        return replace(self, at_table_speed_ms=None if at_speed is None else at_speed * factor)

    @property
    def speed_pct(self) -> float | None:
        """Speed of the machine during the measurement, in percent of the table's speed."""
        return None if self.at_table_speed_ms is None else 100 * self.at_table_speed_ms / self.median_ms


@dataclass(frozen=True)
class Speed:
    """How fast a machine ran while models were measured, by the anchor beside them.

    Attributes:
        pct: median speed in percent of the table's speed; None without a stored time of the anchor.
        low_pct, high_pct: 10th and 90th percentile of the speed, in percent of its median.
    """

    pct: float | None
    low_pct: float
    high_pct: float

    @classmethod
    def of(cls, anchors_ms: Sequence[float], anchor_ms: float | None) -> Speed:
        """From the anchor's times beside the models, and its time at the table's speed."""
        fast, middle, slow = (float(v) for v in np.quantile(anchors_ms, (0.1, 0.5, 0.9)))
        pct = None if anchor_ms is None else 100 * anchor_ms / middle
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
    """Time the models in order, as many at once as memory holds; the iterator is read only as far as needed."""
    copies = 2 if nodes else 1
    for few in few_at_a_time(models, lambda model: copies * len(model.content), READY_BYTES):
        yield measure_together(runtime, few, anchor, rng=rng, nodes=nodes)


def few_at_a_time(items: Iterable[T], size: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """The items in order, in groups of up to `TOGETHER` items whose sizes add up to ``most`` bytes at most, or of one item."""
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
