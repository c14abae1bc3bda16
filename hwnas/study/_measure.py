"""Measure fronts: run their subnets on devices of this machine and of others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.arguments import check_whole, checked_name
from hwnas.errors import DataError
from hwnas.files import beside
from hwnas.metric import LATENCY
from hwnas.progress import notice
from hwnas.study._boards import Elsewhere, names_of
from hwnas.study._decoding import Decoding
from hwnas.study._front import Front
from hwnas.study._jobs import Job
from hwnas.study._measured import Measured
from hwnas.study._place import Place, find_place, searched_conditions, warn_foreign
from hwnas.study._run_conditions import ANY, RunConditions
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.latency import Bundle, Device, MeasuredSubnets
    from hwnas.space import Population, SearchSpace

SESSIONS = 2
"""Sessions in which a board times each subnet."""

FEW, MANY = 40, 100
"""Subnets that take a minute or two to measure, and the number above which the user is told how to measure fewer."""


def positions(front: Front, rows: Sequence[int] | int | None, most: int | None) -> list[int]:
    """Positions of rows in a front.

    Args:
        front: the front.
        rows: numbers of rows; None for all.
        most: choose at most this many, evenly thinned; None for all.

    Raises:
        DataError: a row does not exist, there is none, or the front's space is unknown.
    """
    from hwnas.report import thinned

    if front.space is None:
        rule = "its space is not known here"
        raise DataError("the front", rule, "load it with its space: Front.load(path, space)")
    if most is not None:
        check_whole("most", most, 1)
    numbers = front.frame["row"].tolist()
    named = numbers if rows is None else [*rows] if isinstance(rows, Iterable) else [rows]
    for row in named:
        front.arch(row)
    at = [i for i, number in enumerate(numbers) if number in named]
    if not at:
        raise DataError("rows", "there are none to measure", "name some, or leave them out for all")
    return [at[i] for i in thinned(len(at), most or len(at))]


@dataclass(frozen=True)
class Measuring:
    """Which rows of a front to measure, and how.

    Attributes:
        front: a front with a known space.
        at: positions of the rows, from `positions`.
        budget_ms: latency budget; None for the search's.
        conditions: by default the search's or, on another machine, 1 thread, batch 1 and fp32.
        seed: seed of the order of runs.
    """

    front: Front
    at: list[int]
    budget_ms: float | None = None
    conditions: RunConditions = ANY
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0)

    @cached_property
    def x(self) -> Population:
        """``(n, g)`` rows to measure."""
        from hwnas.io import read_archs

        return read_archs(self.front.frame.iloc[self.at].reset_index(drop=True), self.space)

    @property
    def space(self) -> SearchSpace:
        """The space of the front."""
        assert self.front.space is not None
        return self.front.space

    def device_budget_ms(self, name: str = "") -> float | None:
        """The latency budget on a device, given by its name in columns; None if there is none."""
        searched_ms = self.front.provenance.budgets.get(LATENCY.on(name).column)
        return searched_ms if self.budget_ms is None else self.budget_ms

    def jobs(self, devices: Sequence[str], python: str, csv: Path) -> list[Job[Measured]]:
        """One job per device. The first device is the main one, whose columns have no device name.

        Args:
            devices: the devices; if empty, that of the search.
            python: the interpreter on other machines.
            csv: the file of the front; measurements are kept beside it until it is written.

        Raises:
            DataError: two devices have one name in columns.
            UnknownNameError, DeviceError: there is no such device.
        """
        from hwnas import latency

        jobs: list[Job[Measured]] = []
        for device, called in zip(devices, names_of(devices), strict=True):
            name = called if jobs else ""
            if latency.is_remote(device):
                jobs.append(self.elsewhere(device, python, csv.parent, name))
            else:
                jobs.append(self.here(device, _journal(csv, name), name))
        return jobs or [self.here(None, _journal(csv))]

    def here(self, device: str | None, journal: Path, name: str = "") -> Job[Measured]:
        """The job on a device of this machine; None is the device of the search.

        Raises:
            UnknownNameError, DeviceError: this machine has no such device.
        """
        provenance = self.front.provenance
        decoding = Decoding.of(self.space, provenance)
        if decoding is not None:
            provenance = decoding.completed(provenance)
        place = find_place(self.space, provenance, device, self.conditions)
        runs = [(place, self.space, self.x)]
        if decoding is not None:
            runs = [(place.beside(each.table), each.space, each.x) for each in decoding.runs(self.space, self.x)]
        journals = [journal, journal.with_suffix(f".reading{journal.suffix}")][: len(runs)]

        def run(_go_on: object) -> list[MeasuredSubnets]:
            if not name:
                warn_foreign(place, provenance)
            self._announce(place.label)
            return [
                at.measure(space, rows, path, seed=self.seed)
                for (at, space, rows), path in zip(runs, journals, strict=True)
            ]

        def finish(found: list[MeasuredSubnets]) -> Measured:
            reading = found[1].measurements if decoding is not None else ()
            budget_ms = self.device_budget_ms(name)
            return Measured(self.at, found[0], place, budget_ms, name, journals, decoding=decoding, reading=reading)

        return Job(device or "", run, finish)

    def elsewhere(self, url: str, python: str, folder: Path, name: str) -> Job[Measured]:
        """The job on the CPU of another machine, which needs Python, numpy and onnxruntime.

        Raises:
            DeviceError: the address is not valid.
            DataError: layers have their own precisions, or the front is of decoders.
        """
        from hwnas import latency

        if self.space.plain is not None:
            rule = "mixed networks are timed on this machine's devices"
            raise DataError(f"device {url}", rule, "measure a front of one precision there")
        if Decoding.of(self.space, self.front.provenance) is not None:
            raise DataError(f"device {url}", "decoders are timed on this machine's devices", "measure there by hand")
        asked, usual = self.conditions, searched_conditions(self.front.provenance, "cpu")
        threads, batch = asked.threads or usual["threads"], asked.batch or usual["batch"]
        device = latency.bundled_device("cpu", threads=threads, batch=batch)
        precision = asked.precision or usual["precision"]

        def write(path: Path, device: Device) -> Bundle:
            plan = latency.Plan(sessions=SESSIONS, seed=self.seed)
            return latency.write_bundle(path, device, self.space, plan, precision=precision, rows=self.x)

        def read(raw: Path) -> Measured:
            result = latency.read_board(raw, self.space)
            place = Place(result.device, precision, None)
            if not name:
                warn_foreign(place, self.front.provenance)
            found = latency.measured_on_board(result)
            return Measured(self.at, found, place, self.device_budget_ms(name), name, (), elsewhere=True)

        there = Elsewhere(url, python, folder, write, device, f"measuring {count_of(len(self.at), 'subnet')}")
        return Job(url, there.measure, lambda _: there.read(read), elsewhere=True, prepare=there.prepare)

    def _announce(self, where: str) -> None:
        n = len(self.at)
        fewer = f"; --most {FEW} takes {FEW} of them, evenly thinned" if n > MANY else ""
        of = f" of {self.front.path}" if self.front.path is not None else ""
        notice(f"measuring {count_of(n, 'subnet')}{of} on {where}; Ctrl-C and the same command resume{fewer}")


def measure_on(
    measuring: Measuring, device: str | None, python: str, journal: str | os.PathLike[str] | None
) -> Measured:
    """Measure subnets of a front on one device; arguments as `Front.measure`.

    Raises:
        UnknownNameError, DeviceError: there is no such device, or it fails.
    """
    from hwnas.latency import is_remote

    device = checked_name("device", device, "cpu") if device is not None else None
    with tempfile.TemporaryDirectory(prefix="hwnas-") as scratch:
        if device is not None and is_remote(device):
            job = measuring.elsewhere(device, python, Path(scratch), "")
        else:
            kept = checked_name("journal", journal or Path(scratch) / "measured.jsonl", "measured.jsonl")
            job = measuring.here(device, Path(kept))
        return job.run()


def _journal(csv: Path, name: str = "") -> Path:
    return beside(csv, f"measure{f'-{name}' if name else ''}.jsonl")
