"""The searched front in int8, with all rows of its embedding table and with fewer, against the original in int8."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.own_networks._run import Run
from benchmarks.precision_policy import ALL, time_files, written
from hwnas.space import Population
from hwnas.study._space import restricted
from hwnas.supernet import Supernet, extremes, load_supernet
from hwnas.supernet.hf import TextEncoder
from hwnas.task import TextFolder

ROWS = (16_000, 12_000, 8_000)
"""Rows of the embedding table that tokens share, without further training."""

PRECISIONS = {"int8": ["q=int8"], "int4-words": ["q[0]=int4", "q=int8"]}
"""Precisions of layers; the second only for text encoders, whose first layer is the embedding table."""


def quantised(run: Run) -> None:
    """Record accuracy on ``test``, bytes, and the time at full length in ms, measured in turns with the original in fp32."""
    folder = run.folder / "int8"
    folder.mkdir(exist_ok=True)
    known = {entry["quantised"] for entry in run.entries() if "quantised" in entry}
    found = {}
    for supernet, name, net, row in _subnets(run):
        if name not in known:
            tested, journal = run.accuracy(f"{supernet}.int8", net, "test")
            with journal:
                found[name] = {**written(net, row, folder, name), "accuracy": float(tested(row[None])[0])}
    ms = time_files([folder / each["file"] for each in found.values()], folder / "original-fp32.onnx") if found else {}
    for name, each in found.items():
        run.record(quantised=name, ms=ms[each["file"]], accuracy=each["accuracy"], size_bytes=each["size_bytes"])


def _subnets(run: Run) -> Iterator[tuple[str, str, Supernet, Population]]:
    """Names of supernet and subnet, the supernet in mixed precision, and the row."""
    whole = load_supernet(str(run.folder / "plain.safetensors")).in_precision(ALL)
    for precision in ("fp32", "int8"):
        yield "plain", f"original-{precision}", whole, extremes(restricted(whole.space, [f"q={precision}"]))[1]
    archs = [entry["arch"] for entry in run.entries(kind="searched")]
    for supernet, plain in _supernets(run):
        net = plain.in_precision(ALL)
        for precision, fixed in PRECISIONS.items():
            if precision == "int8" or isinstance(plain, TextEncoder):
                space = restricted(net.space, fixed)
                for i, arch in enumerate(archs):
                    yield supernet, f"{supernet}-{precision}-{i}", net, space.encode(arch)


def _supernets(run: Run) -> Iterator[tuple[str, Supernet]]:
    net, data = load_supernet(str(run.folder / "supernet.safetensors")), run.opened()[1]
    yield "all-rows", net
    if isinstance(net, TextEncoder) and isinstance(data, TextFolder):
        for rows in ROWS:
            if rows < net.embedding_rows:
                yield f"{rows}-rows", net.with_embedding_rows(data.uses(), rows)
