"""Timing networks against an anchor, in shuffled interleaved rounds.

The speed of a shared machine wanders by 5-10 % within minutes, and jumps by 20 % between seconds. So a
network's time is never taken alone: every visit to it stands next to a visit to one anchor network,
the order of visits is drawn anew each round, and what is kept is the *ratio* of the two. The anchor's
time beside a network knows of jumps of the speed, but is itself one noisy sample; the median over a round's anchors is
steady, and blind to them. Their geometric mean is taken: in sessions of 16 to 24 networks it repeats to 2.1 % on two
threads, where either alone does to 2.4-2.5 %, and to 1.2 % on one, as the better of the two; quantiles of times
over quantiles of the anchor's to 3.3 and 1.2 %, and two or three anchors in memory at once no better than one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.latency.timing._loop import RUNS, WARM_UPS, best_clock, record, timed, warm_up

__all__ = ["RUNS", "WARM_UPS", "Clock", "Samples", "Session", "best_clock", "interleaved", "timed", "warm_up"]

Clock = Callable[[], int]
"""Nanoseconds of a monotonic clock."""


class Session(Protocol):
    """A network ready to run."""

    def run(self) -> None:
        """One inference, finished when it returns."""


@dataclass(frozen=True)
class Samples:
    """Run times in ns.

    Attributes:
        times: ``(rounds, networks, RUNS)``.
        anchor: ``(rounds, networks, RUNS)``: the anchor, visited just before each network.
    """

    times: NDArray[np.int64]
    anchor: NDArray[np.int64]

    @property
    def _speed(self) -> NDArray[np.float64]:
        """``(rounds, networks)``: what the anchor takes at the speed of each visit."""
        beside = self.anchor.min(axis=2)
        speed: NDArray[np.float64] = np.sqrt(beside * np.median(beside, axis=1, keepdims=True))
        return speed

    def ratios(self) -> NDArray[np.float64]:
        """``(networks,)``: time of each network as a multiple of the anchor's."""
        ratios: NDArray[np.float64] = np.median(self.times.min(axis=2) / self._speed, axis=0)
        return ratios

    def tails(self) -> NDArray[np.float64]:
        """``(networks,)``: 95th percentile over single runs, as a multiple of the anchor's time."""
        runs = (self.times / self._speed[:, :, None]).transpose(1, 0, 2).reshape(self.times.shape[1], -1)
        tails: NDArray[np.float64] = np.quantile(runs, 0.95, axis=1)
        return tails

    def medians_ms(self) -> NDArray[np.float64]:
        """``(networks,)``: median of single runs, whatever the anchor did."""
        medians: NDArray[np.float64] = np.median(self.times, axis=(0, 2)) / 1e6
        return medians

    def anchor_ms(self) -> float:
        """Median of the anchor's single runs."""
        return float(np.median(self.anchor)) / 1e6


def interleaved(
    sessions: Sequence[Session],
    anchor: Session,
    *,
    rounds: int,
    rng: np.random.Generator,
    clock: Clock,
    beside: Callable[[int], None] | None = None,
) -> Samples:
    """Time warmed-up sessions.

    Args:
        sessions: the networks.
        anchor: the network they are compared with.
        rounds: each visits every network once, in a new order.
        rng: draws the orders.
        clock: nanoseconds.
        beside: called with the index of the network after each visit.
    """
    return Samples(*record(sessions, anchor, rounds=rounds, rng=rng, clock=clock, beside=beside))
