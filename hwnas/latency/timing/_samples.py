"""Samples: run times of models and of an anchor beside them, and statistics of both.

A model's time is the median of back-to-back runs of a loaded session by the wall clock, as users and
``onnxruntime_perf_test`` measure it. So it runs in *blocks*, whose first runs do not count: the session before has emptied the
caches.

The speed of a shared machine wanders by 5-10 % within minutes, and jumps by 20 % between seconds. So every block stands
between two blocks of one anchor model, the order of blocks is drawn anew each round, and a table keeps the *ratio* of
model to anchor. The anchor's time beside a block follows jumps of the speed but is noisy; the median over a round's anchors is
steady but misses jumps. The ratio uses their geometric mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LATE = 0.02
"""A run that waited for a core longer than this share of its time is left out of a median."""

LEAST_SHARE, LEAST_RUNS = 0.25, 3
"""But this share of a block's runs, and this many, always count: those that waited least."""


@dataclass(frozen=True)
class Samples:
    """Run times and waiting times in ns.

    Attributes:
        times: for each model ``(rounds, runs, 2)``.
        anchors: for each model ``(rounds, 2, runs, 2)``: the anchor's, just before and after.
    """

    times: Sequence[NDArray[np.int64]]
    anchors: Sequence[NDArray[np.int64]]

    def ratios(self) -> NDArray[np.float64]:
        """``(models,)``: time of each model as a multiple of the anchor's."""
        beside = np.array([[np.mean([block_ns(a) for a in pair]) for pair in pairs] for pairs in self.anchors])
        speed = np.sqrt(beside * np.median(beside, axis=0))
        times = np.array([[block_ns(block) for block in blocks] for blocks in self.times])
        ratios: NDArray[np.float64] = np.median(times / speed, axis=1)
        return ratios

    def medians_ms(self) -> NDArray[np.float64]:
        """``(models,)``: median time of single runs, not corrected by the anchor."""
        return np.array([np.median([block_ns(block) for block in blocks]) for blocks in self.times]) / 1e6

    def p95s_ms(self) -> NDArray[np.float64]:
        """``(models,)``: 95th percentile of all single runs, including those that waited for a core."""
        return np.array([np.quantile(blocks[..., 0], 0.95) for blocks in self.times]) / 1e6

    def waited(self) -> NDArray[np.float64]:
        """``(models,)``: share of a model's runs, and of the anchor's beside it, that waited for a core."""
        both = [
            np.concatenate([t.reshape(-1, 2), a.reshape(-1, 2)]) for t, a in zip(self.times, self.anchors, strict=True)
        ]
        return np.array([np.mean(runs[:, 1] > LATE * runs[:, 0]) for runs in both])

    def anchors_ms(self) -> NDArray[np.float64]:
        """``(models,)``: median of the anchor's single runs beside each model."""
        medians = [np.median([block_ns(block) for pair in pairs for block in pair]) for pairs in self.anchors]
        return np.array(medians) / 1e6


def block_ns(block: NDArray[Any]) -> float:
    """Median in ns of a block's ``(runs, 2)`` times over the runs that hardly waited for a core, minus what they waited.

    On a busy machine every run of 20 ms waits, the least disturbed ones for a few percent of their time. Subtracting the wait
    in such blocks (MiniLMs at 128 tokens) reduces the error of single sessions from 6.1 to 3.5 %.
    """
    ns, waited = block[:, 0], block[:, 1]
    fewest = min(len(ns), max(LEAST_RUNS, round(LEAST_SHARE * len(ns))))
    kept = np.flatnonzero(waited <= LATE * ns)
    if len(kept) < fewest:
        kept = np.argsort(waited / np.maximum(ns, 1), kind="stable")[:fewest]
    return float(np.median((ns - waited)[kept]))
