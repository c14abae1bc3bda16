"""Latency by the clock: plain onnxruntime, one thread, batch 1, back-to-back runs, files in turns by blocks.

Texts come at their own lengths, as exported folders serve them, and in a second clock filled up to the length of the
network. Each file has a block beside one of the original's before and after it, and tells its ratio to that: the machine's
speed wanders. A run that waited for a core which another process held is left out: the wall clock ran on and the thread's
did not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import onnxruntime as ort

from benchmarks.own_networks._fed import Feeds, fed
from benchmarks.own_networks._run import Entry, Run
from hwnas.space import Population
from hwnas.supernet import Supernet, export_onnx, extremes, load_supernet

TOGETHER = 8
"""Files in memory at once."""

ROUNDS, BLOCK_S = 7, 0.12
"""Blocks per file, and how long each takes; the first third settles caches and does not count."""

WAITED = 0.02
"""Share of a run's time for which its thread did not run, from which it counts as one that waited."""

LEAST_RUNS = 3

Infer = Callable[[], object]


class Network(NamedTuple):
    """What is timed: a subnet of a supernet."""

    name: str
    net: Supernet
    row: Population


def latency(run: Run) -> None:
    """Time every network that was compared, and write down its multiples of the original's time."""
    net = load_supernet(str(run.folder / "supernet.safetensors"))
    clock(run, net, list(_networks(run, net)))


def clock(run: Run, net: Supernet, networks: Sequence[Network]) -> None:
    """Time networks that were not timed before.

    Args:
        run: where results go.
        net: the supernet, whose largest subnet is the original.
        networks: of it or of others.
    """
    known = {entry["network"] for entry in run.entries(cost="latency")}
    wanted = list({network.name: network for network in networks if network.name not in known}.values())
    largest = Network("original", net, extremes(net.space)[1])
    clocks = [("", False), ("filled_", True)] if net.space.input_genes and run.task.open_input else [("", False)]
    with TemporaryDirectory() as scratch:
        for start in range(0, len(wanted), TOGETHER):
            some = [largest, *wanted[start : start + TOGETHER]]
            files = [Path(scratch) / f"{i}.onnx" for i in range(len(some))]
            for network, file in zip(some, files, strict=True):
                export_onnx(network.net.extract(network.row), file)
            told: list[dict[str, float]] = [{} for _ in wanted[start : start + TOGETHER]]
            for prefix, filled in clocks:
                feeds = [_feeds(run, network, filled=filled) for network in some]
                ratios, ms = timed([session(file, each) for file, each in zip(files, feeds, strict=True)])
                for entry, ratio in zip(told, ratios, strict=True):
                    entry |= {f"{prefix}ratio": ratio, f"{prefix}original_ms": ms / len(feeds[0])}
            for network, entry in zip(some[1:], told, strict=True):
                run.record(cost="latency", network=network.name, **entry)


def network_name(entry: Entry) -> str:
    """What a network is timed as: subnets of one architecture are one."""
    return str(entry["name"]) if entry["kind"] == "pruned" else str(entry["arch"])


def _networks(run: Run, net: Supernet) -> Iterator[Network]:
    for entry in run.entries():
        if entry.get("kind") == "pruned":
            other = load_supernet(str(run.folder / f"{entry['name']}.safetensors"))
            yield Network(network_name(entry), other, extremes(other.space)[1])
        elif "kind" in entry:
            yield Network(network_name(entry), net, net.space.encode(entry["arch"]))


def _feeds(run: Run, network: Network, *, filled: bool) -> Feeds:
    shape = next(iter(network.net.extract(network.row).inputs.values())).shape
    return fed(network.net, run.shared / "test", shape[-1], filled=filled)


def timed(runs: Sequence[Infer]) -> tuple[list[float], float]:
    """Times of all but the first as multiples of the first's beside them, and that in ms: medians of blocks' medians."""
    beside, *others = runs
    ratios: list[list[float]] = [[] for _ in others]
    everywhere = [block_ms(beside)]
    for _ in range(ROUNDS):
        for i, infer in enumerate(others):
            ms = block_ms(infer)
            everywhere.append(block_ms(beside))
            ratios[i].append(2 * ms / (everywhere[-2] + everywhere[-1]))
    return [float(np.median(of)) for of in ratios], float(np.median(everywhere))


def session(file: Path, feeds: Feeds) -> Infer:
    """Inferences of a file, one after the other."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    opened = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in opened.get_inputs()]
    wanted = [{name: feed[name] for name in names} for feed in feeds]

    def infer() -> None:
        for feed in wanted:
            opened.run(None, feed)

    return infer


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
