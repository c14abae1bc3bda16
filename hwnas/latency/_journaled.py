"""Measuring networks one block at a time, each on disk before the next begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from hwnas.errors import DataError
from hwnas.graph import Network
from hwnas.journal import Journal
from hwnas.latency._block import NetworkTimes
from hwnas.latency._measure import Progress, measured_blocks
from hwnas.latency._runtime import Runtime


@dataclass
class JournaledTimer:
    """Measures networks next to an anchor, skipping those the journal holds.

    Attributes:
        runtime: makes the sessions.
        anchor: the network all are compared with.
        journal: keeps the times.
        seed: of the order of runs.
        progress: called with networks done and ``steps``.
        steps: networks in all, for the progress.
        times: everything measured so far, by stage and name.
    """

    runtime: Runtime
    anchor: Network
    journal: Journal
    seed: int = 0
    progress: Progress | None = None
    steps: int = 0
    times: dict[tuple[str, str], NetworkTimes] = field(default_factory=dict)

    def measure(self, stage: str, networks: Mapping[str, Network], *, layers: bool = False) -> dict[str, NetworkTimes]:
        """Times of ``networks`` by their names.

        Args:
            stage: what they are measured for; with the name it identifies an entry of the journal.
            networks: by a name that says the same after a restart.
            layers: also the times of their layers.
        """
        kept = {e.get("name"): e for e in self.journal.entries if e.get("stage") == stage}
        for name in networks:
            if name in kept:
                self.times[stage, name] = _times(kept[name], self.journal)
        self._tell(stage)
        todo = [name for name in networks if (stage, name) not in self.times]
        blocks = measured_blocks(
            self.runtime,
            [networks[name] for name in todo],
            self.anchor,
            # A resumed run shall not repeat the orders of the run it continues.
            seed=self.seed + len(self.journal.entries),
            layers=layers,
        )
        names = iter(todo)
        for block in blocks:
            for times in block:
                name = next(names)
                self.journal.append({"stage": stage, "name": name, "times": asdict(times)})
                self.times[stage, name] = times
            self._tell(stage)
        return {name: self.times[stage, name] for name in networks}

    def _tell(self, stage: str) -> None:
        if self.progress is not None:
            self.progress(len(self.times), self.steps, stage)


def _times(entry: Mapping[str, object], journal: Journal) -> NetworkTimes:
    try:
        data = dict(entry["times"])  # type: ignore[call-overload]
        slots = data.pop("slots")
        return NetworkTimes(**data, slots=slots and {slot: tuple(values) for slot, values in slots.items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(str(journal), f"an entry is damaged ({error})", "delete it and profile again") from error
