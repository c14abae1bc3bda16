"""Measuring networks a few at a time, with each group on disk before the next begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Protocol

import numpy as np

from hwnas.errors import DataError
from hwnas.graph import Model, network_model
from hwnas.io import Journal
from hwnas.latency.device._device import Device, check_precision
from hwnas.latency.profiling._layer_times import NetworkTimes, median_network_times, network_times
from hwnas.latency.timing._measure import Progress, measure_all
from hwnas.latency.timing._noise import STEADY_PCT, repeat_pct
from hwnas.latency.timing._runtime import Runtime
from hwnas.space import Network


class Timer(Protocol):
    """Gives the times of networks: measures them here, or replays a board's recording.

    Attributes:
        steps: number of all sessions, for the progress.
        times: all times known so far, by stage, name and session.
    """

    steps: int
    times: dict[tuple[str, str, int], NetworkTimes]

    def measure(
        self, stage: str, networks: Mapping[str, Network], *, layers: bool = False, sessions: int | None = None
    ) -> dict[str, NetworkTimes]:
        """As `JournaledTimer.measure`."""


MOST_SESSIONS = 6
"""Sessions of one network whose times do not repeat: the speed of a shared machine may halve for tenths of a second."""

TIMING = "blocks, open sizes, without waiting, weights all different"
"""The method of timing, which is part of a journal's identity. Earlier versions alternated single runs, ran networks of fixed
sizes, counted the time that runs waited for a core, or gave layers of one shape the same weights."""


def model_of(device: Device, precision: str) -> partial[Model]:
    """A function that makes the models of networks for a device.

    Raises:
        UnknownNameError, DeviceError: the precision is unknown, or the device does not compute in it.
    """
    check_precision(device, precision)
    return partial(
        network_model, batch=device.batch, precision=precision, fixed_sizes=device.known_provider.fixed_sizes
    )


@dataclass
class JournaledTimer:
    """Measures networks beside an anchor, except for those in the journal.

    Attributes:
        runtime: makes the sessions.
        modelled: makes the model of a network; see `model_of`.
        anchor: the network that all are compared with.
        journal: keeps the times.
        sessions: how often each network is loaded and timed, because its place in memory moves its time by 1 %. If this is
            more than once and times do not repeat, networks are timed more often, up to `MOST_SESSIONS`.
        seed: of the order of runs.
        progress: called with the number of sessions done and ``steps``.
        steps: number of all sessions.
        times: all times measured so far, by stage, name and session.
    """

    runtime: Runtime
    modelled: Callable[[Network], Model]
    anchor: Network
    journal: Journal
    sessions: int = 1
    seed: int = 0
    progress: Progress | None = None
    steps: int = 0
    times: dict[tuple[str, str, int], NetworkTimes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        earlier = max((float(entry.get("seconds", 0)) for entry in self.journal.entries), default=0.0)
        self._since = time.monotonic() - earlier

    @property
    def seconds(self) -> float:
        """Seconds spent so far, including interrupted runs up to the last timing in the journal."""
        return time.monotonic() - self._since

    def measure(
        self, stage: str, networks: Mapping[str, Network], *, layers: bool = False, sessions: int | None = None
    ) -> dict[str, NetworkTimes]:
        """Times of networks by name.

        Args:
            stage: the purpose of the measurement; stage, name and session identify an entry of the journal.
            networks: by a name that is the same after a restart.
            layers: also measure the times of their layers.
            sessions: exact number of sessions of each network; by default the timer's ``sessions``, or more if times do not
                repeat.
        """
        for entry in self.journal.entries:
            if entry.get("stage") == stage and entry.get("name") in networks:
                self.times[stage, entry["name"], entry.get("session", 0)] = _times(entry, self.journal)
        self._report(stage)
        done = sessions or self.sessions
        self._time(stage, networks, range(done), layers)
        while sessions is None and 1 < done < MOST_SESSIONS and self._unsteady(stage, networks, done):
            self.steps += 2 * len(networks)
            self._time(stage, networks, range(done, done + 2), layers)
            done += 2
        return {name: median_network_times([self.times[stage, name, k] for k in range(done)]) for name in networks}

    def _unsteady(self, stage: str, networks: Mapping[str, Network], sessions: int) -> bool:
        ratios = {(stage, name, k): self.times[stage, name, k].ratio for name in networks for k in range(sessions)}
        return (repeat_pct(ratios) or 0.0) > STEADY_PCT

    def _time(self, stage: str, networks: Mapping[str, Network], sessions: range, layers: bool) -> None:
        """Measure what the journal lacks of these sessions."""
        rng = np.random.default_rng([self.seed, len(self.journal.entries)])
        todo: list[tuple[str, str, int]] = []
        for session in sessions:
            # A new order in each session, so that networks are measured beside others, and no group has one twice.
            names = [name for name in networks if (stage, name, session) not in self.times]
            todo += [(stage, names[i], session) for i in rng.permutation(len(names))]
        models = (self.modelled(networks[name]) for _, name, _ in todo)
        waiting = iter(todo)
        for few in measure_all(self.runtime, models, self.modelled(self.anchor), rng=rng, nodes=layers):
            for found in few:
                which = next(waiting)
                times = network_times(networks[which[1]], found)
                entry = dict(zip(("stage", "name", "session"), which, strict=True))
                self.journal.append({**entry, "times": asdict(times), "seconds": round(self.seconds, 1)})
                self.times[which] = times
            self._report(stage)

    def _report(self, stage: str) -> None:
        if self.progress is not None:
            self.progress(len(self.times), self.steps, stage)


def _times(entry: Mapping[str, object], journal: Journal) -> NetworkTimes:
    try:
        data = dict(entry["times"])  # type: ignore[call-overload]
        slots = data.pop("slots")
        return NetworkTimes(**data, slots=slots and {slot: tuple(values) for slot, values in slots.items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(str(journal), f"an entry is damaged ({error})", "delete it and profile again") from error
