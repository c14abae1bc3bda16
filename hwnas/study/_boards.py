"""Measuring on machines without hwnas: bundles, their results, and both over ssh."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hwnas.errors import DataError, DeviceError, HwnasError
from hwnas.files import as_argument, check_writable
from hwnas.progress import notice, progress, resumable
from hwnas.quantity import format_bytes
from hwnas.study._jobs import Job
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.latency import BoardResult, Bundle, Device, LatencyTable, Machine, Plan
    from hwnas.space import SearchSpace

T = TypeVar("T")


@dataclass(frozen=True)
class ProfileSettings:
    """How to profile a device.

    Attributes:
        threads, batch, precision: conditions of its runs.
        plan: which networks to time, and how often.
    """

    threads: int
    batch: int
    precision: str
    plan: Plan


def write_bundle(path: Path, device: str, space: SearchSpace, settings: ProfileSettings) -> str:
    """Write a bundle to profile a board; returns what was written and what to do with it, in words."""
    from hwnas import latency

    target = latency.bundled_device(device, threads=settings.threads, batch=settings.batch)
    check_writable(path)
    written = latency.write_bundle(path, target, space, settings.plan, precision=settings.precision)
    named = f" {latency.space_options(space)}" if space.reference != space.name else ""
    return (
        f"bundle {path}: {count_of(written.networks, 'network')}, {format_bytes(written.size)}; {written.timings} timings on "
        f"{device}, {count_of(settings.threads, 'thread')}, batch {settings.batch}, {settings.precision}\n"
        f"next: on the board, with numpy and onnxruntime: python3 -m zipfile -e {as_argument(path.name)} bundle && "
        "python3 bundle/run.py\n"
        f"      (interrupted, the same command resumes), then here: hwnas profile --import board.csv --device NAME{named}"
    )


def import_result(
    path: Path, device: str, space: SearchSpace, out: Path, *, asked: bool
) -> tuple[LatencyTable, SearchSpace]:
    """Make a board's latency table, below ``out``; returns it and the part of the space that was measured.

    Args:
        path: the CSV that run.py wrote.
        device: name of the board.
        space: the space named on the command line.
        out: folder of tables.
        asked: whether the space was named; otherwise the result's own space counts.

    Raises:
        DataError: the result is of another space than the one named.
        DeviceError: the name of the board cannot be the name of a folder.
    """
    from hwnas import latency

    result = latency.read_board(path, space)
    if asked and result.space.name != space.name:
        rule = f"it is of space {result.space.name}, not {space.name}"
        raise DataError(f"result {path}", rule, f"pass --space {result.space.name}")
    return latency.import_board(result, out / _folder(device, result)), result.space


@dataclass
class Elsewhere:
    """A bundle that is made here, run on another machine, and read here.

    Attributes:
        url: address of the machine.
        python: its interpreter.
        folder: keeps the result until it is read.
        write: writes the bundle to a path, for a device.
        device: the device there, as far as it is known.
        what: the work, in words.
    """

    url: str
    python: str
    folder: Path
    write: Callable[[Path, Device], Bundle]
    device: Device
    what: str

    def __post_init__(self) -> None:
        from hwnas import latency

        self.host = latency.remote_machine(self.url, self.python)
        self.name = _name_of(self.host)
        self._kept = ExitStack()

    def prepare(self) -> None:
        """Write the bundle."""
        from hwnas import latency

        with ExitStack() as until_failed:
            folder = until_failed.enter_context(tempfile.TemporaryDirectory(prefix="hwnas-"))
            self.bundle = Path(folder) / "bundle.zip"
            written = self.write(self.bundle, self.device)
            self.raw = self.folder / f"{self.name}-{latency.bundle_digest(self.bundle)}.csv"
            check_writable(self.raw)
            self._kept = until_failed.pop_all()
        notice(
            f"{self.what} on {self.host}: {count_of(written.networks, 'network')}, {format_bytes(written.size)} to send, "
            f"{written.timings} timings; Ctrl-C and the same command resume"
        )

    def measure(self, go_on: Callable[[], None]) -> None:
        """Run the bundle there and fetch its result; this machine computes nothing meanwhile."""

        def report(done: int, total: int, note: str = "", /) -> None:
            go_on()
            advance(done, total, note)

        with self._kept, resumable(f"measurements are kept on {self.host}"), progress(self.name) as advance:
            self.host.run(self.bundle, self.raw, report)

    def read(self, use: Callable[[Path], T]) -> T:
        """Apply ``use`` to the result file, which is kept if that fails."""
        try:
            found = use(self.raw)
        except HwnasError:
            notice(f"measurements are kept in {self.raw}")
            raise
        self.raw.unlink()
        return found


def names_of(devices: Sequence[str]) -> list[str]:
    """The names of devices in folders and columns. Another machine is called by its host, and its port if it has one.

    Raises:
        DeviceError: an address is not valid.
        DataError: a device is given twice, or two have the same name.
    """
    from hwnas import latency

    names: list[str] = []
    for device in devices:
        name = _name_of(latency.remote_machine(device)) if latency.is_remote(device) else device
        if name in names:
            rule = "it is named twice" if device in devices[: len(names)] else f"another one is called {name} too"
            raise DataError(f"device {device}", rule, "drop one of them")
        names.append(name)
    return names


def _name_of(machine: Machine) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", machine.name)


def profile_elsewhere(
    url: str, python: str, space: SearchSpace, out: Path, settings: ProfileSettings
) -> Job[tuple[LatencyTable, SearchSpace]]:
    """The job that makes the latency table of another machine's CPU.

    Raises:
        DeviceError: the address is not valid.
    """
    from hwnas import latency

    def write(path: Path, device: Device) -> Bundle:
        return latency.write_bundle(path, device, space, settings.plan, precision=settings.precision)

    def table(raw: Path) -> tuple[LatencyTable, SearchSpace]:
        result = latency.read_board(raw, space)
        return latency.import_board(result, out / f"{there.name}-{result.device.id}"), result.space

    device = latency.bundled_device("cpu", threads=settings.threads, batch=settings.batch)
    there = Elsewhere(url, python, out, write, device, f"profiling {space.name}")
    return Job(url, there.measure, lambda _: there.read(table), elsewhere=True, prepare=there.prepare)


def _folder(device: str, result: BoardResult) -> str:
    from hwnas.latency import is_provider

    if is_provider(device):  # such a name means a device of this machine
        return result.device.id
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", device):
        rule = "it names a folder, so it has only letters, digits, - _ ."
        raise DeviceError(f"device {device!r}", rule, "choose another --device")
    return device
