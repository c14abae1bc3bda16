"""A second check of predictions, by other means: exported files, timed by a separate plain process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np

from hwnas.errors import DeviceError
from hwnas.graph import Model
from hwnas.io import Journal
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._methods import row_name
from hwnas.space import AdditiveCost, Network, Population, SearchSpace, macs_cost

PLAIN = "a plain process"
"""What entries of the journal and the progress call it."""

FILES, EACH_TIME = 12, 6
"""Subnets in all, and per process."""

LONG_MS = 200
"""Of subnets that take longer half as many are timed: by the usual number a language model that reads 128 tokens took a quarter
of an hour."""

PROCESSES = 2
"""That time each file: where the memory of a session lies moves its time by some percent, and that of the file beside
moves all that are timed with it. In int8 a process differs from another by up to 9 %."""

ROUNDS, SECONDS = 6, 0.12
"""Turns of each file in a process, and seconds of each."""

PlainTimer = Callable[[Device, list[Path], Path], list[tuple[float, float]]]
"""Tells of each file ``(time as a multiple of the file beside, ms of the file beside)``."""


def by_plain_process(device: Device, files: list[Path], beside: Path) -> list[tuple[float, float]]:
    """Times of files by a process that imports onnxruntime and numpy only.

    Raises:
        DeviceError: it fails.
    """
    asked = {
        "files": [str(path) for path in files],
        "beside": str(beside),
        "rounds": ROUNDS,
        "seconds": SECONDS,
        "threads": device.threads,
        "batch": device.batch,
        "provider": device.provider,
        "options": dict(device.options),
        "session_config": device.session_config,
    }
    script = resources.files("hwnas.latency.timing").joinpath("_plain.py")
    with resources.as_file(script) as path:
        line = [sys.executable, "-I", str(path), json.dumps(asked)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise DeviceError(f"device {device.id}", f"a plain process fails to time files: {reason}", "see hwnas devices")
    return [(each["ratio"], each["beside_ms"]) for each in json.loads(done.stdout)]


def of_all_sizes(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """``(n, g)`` rows from the smallest to the largest by MACs."""
    macs = macs_cost(space)
    pool = np.stack([macs.minimum()[1], *space.sample(20 * n, rng), macs.maximum()[1]])
    chosen: Population = pool[np.argsort(macs(pool), kind="stable")[np.linspace(0, len(pool) - 1, n).astype(int)]]
    return np.unique(chosen, axis=0)


def checked_otherwise(
    device: Device,
    cost: AdditiveCost,
    anchor: Network,
    anchor_ms: float,
    modelled: Callable[[Network], Model],
    journal: Journal,
    *,
    seed: int,
    timer: PlainTimer = by_plain_process,
    files: int = FILES,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """Predicted and measured ms of subnets, and the speed in percent; each few on disk before the next begin.

    The plain process also times the anchor beside each file: the measured times are at the speed of ``anchor_ms``.

    Args:
        device: what the files run on.
        cost: predicts latencies in ms.
        anchor: the network whose time tells the speed.
        anchor_ms: its time when the rows were made.
        modelled: makes the files' models.
        journal: keeps the times.
        seed: of the choice of subnets.
        timer: tells the times.
        files: how many subnets, or half as many of long ones.
    """
    space, files = cost.space, files if anchor_ms <= LONG_MS else files // 2
    rows = of_all_sizes(space, files, np.random.default_rng([seed, 4]))
    known = {e["name"]: (e["ratio"], e["beside_ms"]) for e in journal.entries if e.get("stage") == PLAIN}
    todo = [row for row in rows if row_name(row) not in known]
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        beside = Path(folder) / "anchor.onnx"
        beside.write_bytes(modelled(anchor).content)
        for start in range(0, len(todo), EACH_TIME):
            few = todo[start : start + EACH_TIME]
            paths = [Path(folder) / f"{i}.onnx" for i in range(len(few))]
            for row, path in zip(few, paths, strict=True):
                path.write_bytes(modelled(space.network(row)).content)
            told = np.mean([timer(device, paths, beside) for _ in range(PROCESSES)], axis=0)
            for row, (ratio, beside_ms) in zip(few, told.tolist(), strict=True):
                known[row_name(row)] = ratio, beside_ms
                journal.append({"stage": PLAIN, "name": row_name(row), "ratio": ratio, "beside_ms": beside_ms})
    ratio, beside_ms = np.array([known[row_name(row)] for row in rows]).T
    return cost(rows), ratio * anchor_ms, float(100 * anchor_ms / np.median(beside_ms))
