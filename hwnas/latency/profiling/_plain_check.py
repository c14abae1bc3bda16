"""A second check of predictions that does not use our timer: a separate plain process times exported files."""

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
from hwnas.latency.profiling._sizes import by_size
from hwnas.latency.table._table import Anchor
from hwnas.latency.timing._measure import READY_BYTES, few_at_a_time
from hwnas.space import AdditiveCost, Network, Population, SearchSpace, macs_cost

PLAIN = "a plain process"
"""The stage's name in the journal."""

FILES = 12
"""Subnets in all."""

LONG_MS = 200
"""If the anchor takes longer, half as many subnets are timed: all of them took a quarter of an hour with a language model that
reads 128 tokens."""

PROCESSES = 2
"""Processes that time each file. The place of a session in memory moves its time by a few percent, and the place of the
anchor's session moves all ratios. In int8 two processes differ by up to 9 %."""

ROUNDS, SECONDS = 6, 0.12
"""Turns of each file in a process, and seconds per turn."""

PlainTimer = Callable[[Device, list[Path], Path], list[tuple[float, float]]]
"""Times files beside an anchor's file: for each ``(time as a multiple of the anchor's, the anchor's ms)``."""


def plain_process_times(device: Device, files: list[Path], beside: Path) -> list[tuple[float, float]]:
    """Times of files, measured by a process that imports only onnxruntime and numpy.

    Raises:
        DeviceError: the process fails.
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
    """Up to ``n`` distinct rows at even steps in the order of MACs, including the smallest and the largest subnet."""
    macs = macs_cost(space)
    pool = by_size(space, np.stack([macs.minimum()[1], *space.sample(20 * n, rng), macs.maximum()[1]]))
    return np.unique(pool[np.linspace(0, len(pool) - 1, n).astype(int)], axis=0)


def check_by_plain_process(
    device: Device,
    cost: AdditiveCost,
    anchor: Anchor,
    modelled: Callable[[Network], Model],
    journal: Journal,
    *,
    seed: int,
    timer: PlainTimer = plain_process_times,
    files: int = FILES,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """Predicted and measured ms of subnets, and the machine's speed in percent of the table's.

    The plain process times the anchor beside each file, so measured times are corrected to the table's speed.

    Args:
        device: the device that runs the files.
        cost: predicts latencies in ms.
        anchor: the network timed beside the files, with its time in ms at the table's speed.
        modelled: makes the models of the files.
        journal: keeps the times; each group of files is on disk before the next begins.
        seed: of the choice of subnets.
        timer: times the files.
        files: number of subnets; half as many if the anchor takes longer than `LONG_MS`.
    """
    space, anchor_ms = cost.space, anchor.median_ms or np.nan
    rows = of_all_sizes(space, files // 2 if anchor_ms > LONG_MS else files, np.random.default_rng([seed, 4]))
    known = {e["name"]: (e["ratio"], e["beside_ms"]) for e in journal.entries if e.get("stage") == PLAIN}
    todo = [row for row in rows if row_name(row) not in known]
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        beside = Path(folder) / "anchor.onnx"
        beside.write_bytes(modelled(anchor.network).content)
        written = (
            _written(Path(folder) / f"{i}.onnx", row, modelled(space.network(row))) for i, row in enumerate(todo)
        )
        for few in few_at_a_time(written, lambda each: each[1].stat().st_size, READY_BYTES):
            times = np.mean([timer(device, [path for _, path in few], beside) for _ in range(PROCESSES)], axis=0)
            for (name, path), (ratio, beside_ms) in zip(few, times.tolist(), strict=True):
                known[name] = ratio, beside_ms
                journal.append({"stage": PLAIN, "name": name, "ratio": ratio, "beside_ms": beside_ms})
                path.unlink()
    ratio, beside_ms = np.array([known[row_name(row)] for row in rows]).T
    return cost(rows), ratio * anchor_ms, float(100 * anchor_ms / np.median(beside_ms))


def _written(path: Path, row: Population, model: Model) -> tuple[str, Path]:
    path.write_bytes(model.content)
    return row_name(row), path
