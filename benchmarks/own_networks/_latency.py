"""Latency by the clock: plain onnxruntime, one thread, batch 1, blocks of back-to-back runs, with files in turns.

Texts have their own lengths, as in serving an exported folder; a second measurement pads them to the full length. Each block of a
file stands between two blocks of the original, and the ratio of their times is kept, because the machine's speed changes. A run
whose wall time exceeds its thread's CPU time waited for a core, and is left out.
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
"""Blocks per file, and the time of each; the first third of a block fills the caches and does not count."""

WAITED = 0.02
"""A run has waited if its thread did not run for this share of its time."""

LEAST_RUNS = 3

Infer = Callable[[], object]


class Network(NamedTuple):
    """A subnet of a supernet, to be timed."""

    name: str
    net: Supernet
    row: Population


def latency(run: Run) -> None:
    """Time every compared network, and record its time as a multiple of the original's."""
    net = load_supernet(str(run.folder / "supernet.safetensors"))
    clock(run, net, list(_networks(run, net)))


def clock(run: Run, net: Supernet, networks: Sequence[Network]) -> None:
    """Time networks that have no recorded time yet.

    Args:
        run: keeps the results.
        net: the supernet; its largest subnet is the original.
        networks: of this supernet or others.
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
            times: list[dict[str, float]] = [{} for _ in wanted[start : start + TOGETHER]]
            for prefix, filled in clocks:
                feeds = [_feeds(run, network, filled=filled) for network in some]
                ratios, ms = timed([session(file, each) for file, each in zip(files, feeds, strict=True)])
                for entry, ratio in zip(times, ratios, strict=True):
                    entry |= {f"{prefix}ratio": ratio, f"{prefix}original_ms": ms / len(feeds[0])}
            for network, entry in zip(some[1:], times, strict=True):
                run.record(cost="latency", network=network.name, **entry)


def network_name(entry: Entry) -> str:
    """The name under which a network is timed; subnets of the same architecture share one."""
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
    """Times of all but the first as multiples of the first's beside them, and the first's in ms: medians over blocks."""
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
    """A function that runs a file once on each feed."""
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
    """Median of the runs of a block that did not wait for a core; if all did, the median of their CPU times."""
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
