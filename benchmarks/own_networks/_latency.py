"""Latency by the clock: plain onnxruntime, one thread, batch 1, back-to-back runs, files in turns by blocks.

Each file has a block beside one of the original's before and after it, and tells its ratio to that: the machine's speed
wanders. A run that waited for a core which another process held is left out: the wall clock ran on and the thread's did not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort

from benchmarks.own_networks._run import Entry, Run
from hwnas.space import Population
from hwnas.supernet import Supernet, export_onnx, extremes, load_supernet

TOGETHER = 8
"""Files in memory at once."""

ROUNDS, BLOCK_S = 9, 0.12
"""Blocks per file, and how long each takes; the first third settles caches and does not count."""

WAITED = 0.02
"""Share of a run's time for which its thread did not run, from which it counts as one that waited."""

LEAST_RUNS = 3

TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}

Infer = Callable[[], object]


def latency(run: Run) -> None:
    """Time every subnet that was compared, and write down its multiple of the original's time."""
    known = {entry["network"] for entry in run.entries(cost="latency")}
    net = load_supernet(str(run.folder / "supernet.safetensors"))
    wanted = {network: build for network, build in _networks(run, net) if network not in known}
    names = list(wanted)
    with TemporaryDirectory() as scratch:
        original = Path(scratch) / "original.onnx"
        export_onnx(net.extract(extremes(net.space)[1]), original)
        for start in range(0, len(names), TOGETHER):
            some = names[start : start + TOGETHER]
            files = []
            for i, name in enumerate(some):
                file = Path(scratch) / f"{i}.onnx"
                wanted[name](file)
                files.append(file)
            ratios, ms = timed(original, files)
            for name, ratio in zip(some, ratios, strict=True):
                run.record(cost="latency", network=name, ratio=float(ratio), original_ms=ms)


def network_name(entry: Entry) -> str:
    """What a network is timed as: subnets of one architecture are one."""
    return str(entry["name"]) if entry["kind"] == "pruned" else str(entry["arch"])


def _networks(run: Run, net: Supernet) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Names, and what writes their files."""
    for entry in run.entries():
        if entry.get("kind") == "pruned":
            yield network_name(entry), partial(_export_largest, run.folder / f"{entry['name']}.safetensors")
        elif "kind" in entry:
            yield network_name(entry), partial(_export, net, net.space.encode(entry["arch"]))


def _export(net: Supernet, row: Population, path: Path) -> None:
    export_onnx(net.extract(row), path)


def _export_largest(trained: Path, path: Path) -> None:
    net = load_supernet(str(trained))
    _export(net, extremes(net.space)[1], path)


def timed(original: Path, files: Sequence[Path]) -> tuple[list[float], float]:
    """Times of files as multiples of the original's beside them, and that in ms: medians of blocks' medians."""
    beside, runs = session(original), [session(file) for file in files]
    ratios: list[list[float]] = [[] for _ in runs]
    everywhere = [block_ms(beside)]
    for _ in range(ROUNDS):
        for i, infer in enumerate(runs):
            ms = block_ms(infer)
            everywhere.append(block_ms(beside))
            ratios[i].append(2 * ms / (everywhere[-2] + everywhere[-1]))
    return [float(np.median(of)) for of in ratios], float(np.median(everywhere))


def session(file: Path) -> Infer:
    """One inference of a file on made-up inputs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    opened = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    feed = {}
    for value in opened.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in value.shape]
        feed[value.name] = np.ones(shape, dtype=TYPES[value.type])
    return lambda: opened.run(None, feed)


def block_ms(infer: Infer) -> float:
    """Median of the runs of a block that did not wait; of all runs' processor time, where every one did."""
    begin = time.perf_counter()
    alone: list[float] = []
    processor: list[float] = []
    while time.perf_counter() - begin < BLOCK_S or len(processor) < LEAST_RUNS:
        start, own = time.perf_counter(), time.thread_time()
        infer()
        took, own = time.perf_counter() - start, time.thread_time() - own
        if start - begin > BLOCK_S / 3:
            processor.append(own)
            if took - own < WAITED * took:
                alone.append(took)
    return 1e3 * float(np.median(alone or processor))
