"""Timing networks against an anchor, in shuffled interleaved rounds.

The speed of a shared machine wanders by 5-10 % within minutes, and jumps by 20 % between seconds. So a
network's time is never taken alone: every visit to it stands next to a visit to one anchor network,
the order of visits is drawn anew each round, and what is kept is the *ratio* of the two, round by
round. Of 9 estimators tried on 75 networks (quantiles of times over quantiles of the anchor's, ratios
per visit or per round), the median over rounds of ``best of two runs / median of the round's anchors``
repeated best between sessions: 1.2 % against 2.0-2.6 % for quantiles of times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

WARM_UPS = 3
"""Untimed runs of a new session: memory is allocated and weights are packed in the first."""

RUNS = 2
"""Timed runs per visit."""

Clock = Callable[[], int]
"""Nanoseconds of a monotonic clock."""


def best_clock(threads: int, *, on_host: bool) -> Clock:
    """The clock to time networks with.

    A network on one thread of this CPU runs in the calling thread, whose own CPU time leaves out what
    other processes took meanwhile: on a busy machine it is what the wall clock tells on an idle one.
    """
    fine = time.get_clock_info("thread_time").resolution <= 1e-6
    return time.thread_time_ns if threads == 1 and on_host and fine else time.perf_counter_ns


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
        """``(rounds, 1)``: the anchor's time in each round."""
        speed: NDArray[np.float64] = np.median(self.anchor.min(axis=2), axis=1, keepdims=True)
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


def warm_up(sessions: Sequence[Session]) -> None:
    for session in sessions:
        for _ in range(WARM_UPS):
            session.run()


def timed(session: Session, clock: Clock) -> list[int]:
    """Times of ``RUNS`` runs in ns, after an untimed one: before it, the caches hold another network's weights."""
    session.run()
    times = []
    for _ in range(RUNS):
        start = clock()
        session.run()
        times.append(clock() - start)
    return times


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
    times = np.zeros((rounds, len(sessions), RUNS), dtype=np.int64)
    anchors = np.zeros_like(times)
    for turn in range(rounds):
        for i in rng.permutation(len(sessions)):
            anchors[turn, i] = timed(anchor, clock)
            times[turn, i] = timed(sessions[i], clock)
            if beside is not None:
                beside(int(i))
    return Samples(times, anchors)
