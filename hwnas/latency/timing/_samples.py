"""Samples: run times of models, and of an anchor beside them, and what they mean.

A model's time is the median of back-to-back runs of a loaded session by the wall clock, as ``onnxruntime_perf_test`` and
users take it. So it runs in *blocks*, whose first runs do not count: another session has emptied the caches before.

The speed of a shared machine wanders by 5-10 % within minutes, and jumps by 20 % between seconds. So every block stands
between two blocks of one anchor model, the order of blocks is drawn anew each round, and a table keeps the *ratio* of
the two. The anchor's time beside a block follows jumps of the speed but is a noisy sample; the median over a round's
anchors is steady but misses them. Their geometric mean is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LATE = 0.02
"""A run that waited longer for a core than this share of its time is left out of a median ..."""

LEAST_SHARE, LEAST_RUNS = 0.25, 3
"""... unless fewer than so many would be left: then those count that waited least."""


@dataclass(frozen=True)
class Samples:
    """Run times and waiting times in ns.

    Attributes:
        times: per model ``(rounds, runs, 2)``.
        anchors: per model ``(rounds, 2, runs, 2)``: the anchor's, just before and after.
    """

    times: Sequence[NDArray[np.int64]]
    anchors: Sequence[NDArray[np.int64]]

    def ratios(self) -> NDArray[np.float64]:
        """``(models,)``: time of each model as a multiple of the anchor's."""
        beside = np.array([[np.mean([level(a) for a in pair]) for pair in pairs] for pairs in self.anchors])
        speed = np.sqrt(beside * np.median(beside, axis=0))
        times = np.array([[level(block) for block in blocks] for blocks in self.times])
        ratios: NDArray[np.float64] = np.median(times / speed, axis=1)
        return ratios

    def medians_ms(self) -> NDArray[np.float64]:
        """``(models,)``: median of single runs, whatever the anchor did."""
        return np.array([np.median([level(block) for block in blocks]) for blocks in self.times]) / 1e6

    def p95s_ms(self) -> NDArray[np.float64]:
        """``(models,)``: 95th percentile of all single runs, those that waited for a core included."""
        return np.array([np.quantile(blocks[..., 0], 0.95) for blocks in self.times]) / 1e6

    def waited(self) -> NDArray[np.float64]:
        """``(models,)``: share of runs, of a model's and of the anchor's beside it, that waited for a core."""
        both = [
            np.concatenate([t.reshape(-1, 2), a.reshape(-1, 2)]) for t, a in zip(self.times, self.anchors, strict=True)
        ]
        return np.array([np.mean(runs[:, 1] > LATE * runs[:, 0]) for runs in both])

    def anchors_ms(self) -> NDArray[np.float64]:
        """``(models,)``: median of the anchor's single runs beside each model."""
        return np.array([np.median([level(block) for pair in pairs for block in pair]) for pairs in self.anchors]) / 1e6


def level(block: NDArray[Any]) -> float:
    """Median in ns of a block's ``(runs, 2)`` times, less what they waited for a core, of those runs that hardly waited.

    Where all had to, as runs of 20 ms do on a machine with other work, even those that waited least did so for a few
    percent. Such blocks, of MiniLMs at 128 tokens: single sessions err by 3.5 % in place of 6.1.
    """
    ns, waited = block[:, 0], block[:, 1]
    fewest = min(len(ns), max(LEAST_RUNS, round(LEAST_SHARE * len(ns))))
    kept = np.flatnonzero(waited <= LATE * ns)
    if len(kept) < fewest:
        kept = np.argsort(waited / np.maximum(ns, 1), kind="stable")[:fewest]
    return float(np.median((ns - waited)[kept]))
