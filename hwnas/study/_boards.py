"""Profiling devices that hwnas is not installed on: bundles, their results, and both over ssh."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.errors import DataError, DeviceError, HwnasError
from hwnas.files import check_writable
from hwnas.progress import notice, progress
from hwnas.quantity import format_bytes

if TYPE_CHECKING:
    from hwnas.latency import BoardResult, LatencyTable, Plan
    from hwnas.space import SearchSpace


def write_bundle(
    path: Path, device: str, space: SearchSpace, *, threads: int, batch: int, precision: str, plan: Plan
) -> str:
    """Write a bundle; what was written and what to do with it, in words."""
    from hwnas import latency

    target = latency.bundled_device(device, threads=threads, batch=batch)
    check_writable(path)
    written = latency.write_bundle(path, target, space, plan, precision=precision)
    return (
        f"bundle {path}: {written.networks} networks, {format_bytes(written.size)}; {written.timings} timings on "
        f"{device}, {threads} threads, batch {batch}, {precision}\n"
        f"next: on the board, with numpy and onnxruntime: python3 -m zipfile -e {path.name} bundle && "
        "python3 bundle/run.py\n"
        "      (interrupted, the same command resumes), then here: hwnas profile --import board.csv --device NAME"
    )


def import_result(
    path: Path, device: str, space: SearchSpace, out: Path, *, asked: bool
) -> tuple[LatencyTable, SearchSpace]:
    """The table of a board, below ``out``, and the part of the space it was made for.

    Args:
        path: the CSV that run.py wrote.
        device: name for the board.
        space: the one named on the command line.
        out: folder of tables.
        asked: whether it was named; else the result's own is taken.
    """
    from hwnas import latency

    result = latency.read_board(path, space)
    if asked and result.space.name != space.name:
        rule = f"it is of space {result.space.name}, not {space.name}"
        raise DataError(f"result {path}", rule, f"pass --space {result.space.name}")
    return latency.import_board(result, out / _folder(device, result)), result.space


def measure_remotely(
    url: str, python: str, space: SearchSpace, out: Path, *, threads: int, batch: int, precision: str, plan: Plan
) -> tuple[LatencyTable, SearchSpace]:
    """The table of the CPU of another machine."""
    from hwnas import latency

    host = latency.remote_machine(url, python)
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", host.name)
    device = latency.bundled_device("cpu", threads=threads, batch=batch)
    with tempfile.TemporaryDirectory(prefix="hwnas-") as scratch:
        bundle = Path(scratch) / "bundle.zip"
        written = latency.write_bundle(bundle, device, space, plan, precision=precision)
        raw = out / f"{name}-{latency.bundle_digest(bundle)}.csv"
        check_writable(raw)
        notice(
            f"profiling {space.name} on {host}: {written.networks} networks, {format_bytes(written.size)} to send, "
            f"{written.timings} timings; Ctrl-C and the same command resume"
        )
        try:
            with progress(f"profiling {host.name}") as advance:
                latency.profile_remotely(host, bundle, raw, progress=advance)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"what was measured is kept on {host}; the same command resumes") from None
    try:
        result = latency.read_board(raw, space)
        table = latency.import_board(result, out / f"{name}-{result.device.id}")
    except HwnasError:
        notice(f"what was measured is kept in {raw}")
        raise
    raw.unlink()
    return table, result.space


def _folder(device: str, result: BoardResult) -> str:
    from hwnas.latency import PROVIDERS

    if device.partition(":")[0] in PROVIDERS:  # the default, or a name that means this machine elsewhere
        return result.device.id
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", device):
        raise DeviceError(f"device {device!r}", "it names a folder: letters, digits, - _ .", "choose another --device")
    return device
