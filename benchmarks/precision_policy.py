"""Architecture and precision searched together, against searching one after the other, and each alone.

    python -m benchmarks.precision_policy search --supernet digits --fix r=8,16
    python -m benchmarks.precision_policy time --supernet digits --fix r=8,16
    python -m benchmarks.precision_policy search --supernet trec.safetensors --data trec/data --test trec/test --fix l=32 --evals 60

Fronts of accuracy against latency by a table of this machine (run ``hwnas profile --precision fp32,int8`` first), and with
``--size`` also against the bytes of the file. All have the same number of evaluations: *joint* chooses from ``--precision``;
*fp32*; *then int8* quantises the fp32 front afterwards; *int8* searches architectures with all layers in int8; *original* is the
whole network in int8 (with ``--original``, the one of another supernet, which has all rows of its embedding table). For texts
also *joint, int4 words*: the joint front with its embedding tables in four bits.

``search`` evaluates quantised graphs, measures the members of fronts on ``--test``, and writes their files. A journal in
``--keep`` serves all seeds, and an interrupted run resumes. ``time`` times all files in one run with plain onnxruntime, beside the
original in fp32, and prints the worth of fronts on samples that no search saw, with bootstrap intervals of 90 %, and a comparison
with the original in int8.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.expected import searched
from benchmarks.racing import Answered
from benchmarks.unseen import Corner, Front, shares, summary
from hwnas.graph import Model, build_model, in_precision, size_cost
from hwnas.io import Journal
from hwnas.latency import find_table_for, get_device
from hwnas.search import Objective, Problem
from hwnas.space import AdditiveCost, Population, SearchSpace, macs_cost
from hwnas.space.ops import Embedding
from hwnas.study import Evaluation
from hwnas.study._racing import can_race
from hwnas.study._space import restricted
from hwnas.supernet import (
    MeasuredAccuracy,
    MeasuredAnswers,
    Supernet,
    accuracy_journal_identity,
    folded_weights,
    get_engine,
    save_onnx,
)
from hwnas.task import Task

ALL = "fp32+int8+int4"
ROUNDS, RUNS = 8, 6


def main() -> None:
    """Run one of the two parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("part", choices=("search", "time"))
    parser.add_argument("--supernet", default="digits")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--test", type=Path, help="data that took no part in the search; by default the same")
    parser.add_argument("--original", help="supernet whose largest subnet others compare with; by default the same")
    parser.add_argument("--precision", default="fp32,int8", help="that joint chooses from")
    parser.add_argument("--size", action="store_true", help="bytes of the file are an objective too")
    parser.add_argument("--fix", action="append", default=[])
    parser.add_argument("--evals", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--calibrate", type=int, default=300)
    parser.add_argument(
        "--most", type=int, default=40, help="members of a front that are tested and timed: those that add most to it"
    )
    parser.add_argument("--keep", type=Path, default=Path("precision_policy"))
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    if options.part == "search":
        search(options)
    else:
        timed = time_files(sorted(options.keep.glob("*.onnx")), options.keep / "original-fp32.onnx")
        (options.keep / "timed.json").write_text(json.dumps(timed))
        report(options.keep)


# --- searching ------------------------------------------------------------------------------


def search(options: argparse.Namespace) -> None:
    """Write fronts of every kind and seed as files and ``fronts.json``, and their correct test samples as ``right.npz``."""
    asked = Evaluation(options.supernet, data=options.data, calibrate=options.calibrate)
    first = asked if options.original is None else replace(asked, supernet=options.original)
    net = asked.net.in_precision(ALL)
    original = net if first is asked else first.net.in_precision(ALL)
    space = restricted(net.space, [*options.fix, f"q={options.precision}"])
    table = find_table_for(get_device("cpu"), space, options.precision.replace(",", "+"))
    assert table is not None, f"no table: hwnas profile --precision {options.precision} --space {options.supernet}"
    tested: dict[str, NDArray[np.bool_]] = {}
    with ExitStack() as until_done:

        def kept(of: Supernet, by: Evaluation, journal: str) -> tuple[Task, Journal]:
            data, about = by.samples(of)
            return data, until_done.enter_context(Journal(options.keep / journal, accuracy_journal_identity(of, about)))

        def answered(of: Supernet, by: Evaluation, journal: str) -> Answered:
            data, lines = kept(of, by, journal)
            can = can_race(data)
            n = can.n_validation
            return Answered(MeasuredAnswers(of, can, lines, get_engine()), np.arange(n), n)

        def member(by: Answered, row: NDArray[Any], name: str, expects: float) -> dict[str, Any]:
            tested[f"{name}.onnx"] = by.of(row[None])[0] > 0
            return {"expected": expects, **written(by.answers.supernet, row, options.keep, name)}

        accuracy = MeasuredAccuracy(net, *kept(net, asked, "journal.jsonl"))
        test = replace(asked, data=options.test or options.data)
        ours = answered(net, test, "answers.jsonl")
        theirs = (
            ours if original is net else answered(original, replace(test, supernet=options.original), "original.jsonl")
        )
        fronts = {
            kind: [
                [
                    member(ours, row, "-".join(map(str, row.tolist())), float(e))
                    for row, e in zip(x, expects, strict=True)
                ]
                for x, expects in seeds
            ]
            for kind, seeds in _fronts(space, accuracy, table.cost(space), options).items()
        }
        known = (
            accuracy
            if original is net
            else MeasuredAccuracy(original, *kept(original, first, "original-journal.jsonl"))
        )
        largest = macs_cost(original.space).maximum()[1][None]
        for kind in ("fp32", "int8"):
            (row,) = _all(original.space, largest, kind)
            (found,) = known(row[None]).tolist()
            fronts[f"original {kind}"] = [[member(theirs, row, f"original-{kind}", found)]]
    (options.keep / "fronts.json").write_text(json.dumps({"size": options.size, "fronts": fronts}))
    np.savez(options.keep / "right.npz", allow_pickle=False, **tested)


def _fronts(
    space: SearchSpace, accuracy: MeasuredAccuracy, latency: AdditiveCost, options: argparse.Namespace
) -> dict[str, list[tuple[Population, NDArray[np.float64]]]]:
    """For each kind and seed: rows, and their expected accuracies."""
    fronts: dict[str, list[tuple[Population, NDArray[np.float64]]]] = {}
    costs = [Objective("latency_ms", "ms", False, latency)]
    if options.size:
        costs.append(Objective("size_bytes", "B", False, size_cost(space)))
    parts = {"joint": space, "fp32": space.restrict(q="fp32"), "int8": space.restrict(q="int8")}
    for seed in range(options.seeds):
        for kind, part in parts.items():
            slow = Objective(accuracy.supernet.metric, "%", True, accuracy)
            problem = Problem(part, [slow, *costs], slow=[slow.name])
            x, expects = searched(problem, accuracy, options.evals, seed)
            few = _spread(np.column_stack([-expects(x), *(np.asarray(cost.fn(x)) for cost in costs)]), options.most)
            fronts.setdefault(kind, []).append((x[few], expects(x[few])))
            print(f"{time.strftime('%H:%M:%S')} seed {seed} {kind}: {len(x)} on the front", flush=True)
    fronts["then int8"] = [(_all(space, x, "int8"), expects) for x, expects in fronts["fp32"]]
    words = _words(space)
    if words and not options.size:
        fronts["joint, int4 words"] = [(_with(space, x, words, "int4"), expects) for x, expects in fronts["joint"]]
    return fronts


def _spread(costs: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """``(k,)`` indices of ``(n, m)`` costs, after removing those that contribute least to the hypervolume, one by one."""
    left = np.arange(len(costs))
    span = np.ptp(costs, axis=0)
    scaled = (costs - costs.min(axis=0)) / np.where(span > 0, span, 1)
    while len(left) > most:
        left = np.delete(left, moocore.hv_contributions(scaled[left], ref=[1.1] * costs.shape[1]).argmin())
    return left


def _all(space: SearchSpace, x: Population, precision: str) -> Population:
    """The same archs with every layer in one precision."""
    return _with(space, x, [c for c, gene in enumerate(space.genes) if gene.role == "precision"], precision)


def _words(space: SearchSpace) -> list[int]:
    """Columns of the precision genes of embedding tables."""
    found = []
    for slot in space.slots:
        layers = [layer for _, layer in space.slot_layers(slot) if layer is not None]
        own = [c for c in slot.genes if space.genes[c].role == "precision"]
        if own and any(isinstance(op, Embedding) for layer in layers for op in layer.ops):
            found.append(max(own))
    return found


def _with(space: SearchSpace, x: Population, columns: Sequence[int], precision: str) -> Population:
    """The same archs with some layers in another precision."""
    other = x.copy()
    for column in columns:
        other[:, column] = space.genes[column].choices.index(precision)
    return space.canonical(other)


def written(net: Supernet, row: NDArray[Any], folder: Path, name: str) -> dict[str, Any]:
    """Write a subnet's file without calibration, which changes neither its time nor its size."""
    path = folder / f"{name}.onnx"
    if not path.exists():
        subnet = net.extract(row)
        save_onnx(in_precision(build_model(subnet.network, weights=folded_weights(subnet)), ALL), path, {})
    return {"file": path.name, "size_bytes": path.stat().st_size}


# --- timing ---------------------------------------------------------------------------------


def time_files(paths: Sequence[Path], anchor: Path) -> dict[str, float]:
    """Milliseconds by file name: medians of ratios to the anchor, which is timed before and after every block."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = 1
    rng = np.random.default_rng(0)

    def opened(path: Path) -> tuple[ort.InferenceSession, Mapping[str, Any]]:
        return ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"]), Model.read(path).feed()

    def block_ms(of: tuple[ort.InferenceSession, Mapping[str, Any]]) -> float:
        session, feed = of
        session.run(None, feed)
        taken = []
        for _ in range(RUNS):
            start = time.perf_counter()
            session.run(None, feed)
            taken.append(time.perf_counter() - start)
        return 1e3 * float(np.median(taken))

    original = opened(anchor)
    ratios: dict[str, list[float]] = {path.name: [] for path in paths}
    anchors = []
    for few in np.array_split(np.arange(len(paths)), -(-len(paths) // 12)):  # not all files at once
        sessions = {paths[i].name: opened(paths[i]) for i in few}
        for _ in range(ROUNDS):
            before = block_ms(original)
            for name in rng.permutation(list(sessions)).tolist():
                own, after = block_ms(sessions[name]), block_ms(original)
                ratios[name].append(2 * own / (before + after))
                anchors.append(before := after)
    return {name: float(np.median(r) * np.median(anchors)) for name, r in ratios.items()}


def report(folder: Path) -> None:
    """Print the worth of fronts as shares of the joint ones, and the fastest member of each against the original in int8."""
    kept, ms = (json.loads((folder / f"{name}.json").read_text()) for name in ("fronts", "timed"))
    right = np.load(folder / "right.npz")

    def front_of(rows: list[dict[str, Any]]) -> Front:
        costs = [[ms[row["file"]], row["size_bytes"]][: 1 + kept["size"]] for row in rows]
        return Front(
            np.stack([right[row["file"]] for row in rows]), np.array([row["expected"] for row in rows]), np.array(costs)
        )

    searched_kinds = {kind: seeds for kind, seeds in kept["fronts"].items() if "original" not in kind}
    fronts = {kind: [front_of(rows) for rows in seeds] for kind, seeds in searched_kinds.items()}
    corner = Corner.of([front for seeds in fronts.values() for front in seeds])
    for chosen in (False, True)[: 2 - kept["size"]]:
        what = "by choice, for every budget of latency" if chosen else "hypervolume of accuracy and costs"
        print(f"{what}, percent of the joint fronts': mean, (90 % of samples drawn again), by seed")
        for kind, seeds in fronts.items():
            print(f"  {kind:18} {summary(shares(seeds, fronts['joint'], corner, chosen=chosen))}")

    def figures(row: dict[str, Any]) -> tuple[float, float, float]:
        return 100 * float(right[row["file"]].mean()), ms[row["file"]], row["size_bytes"]

    for kind in ("original fp32", "original int8"):
        ((whole,),) = kept["fronts"][kind]
        accuracy, latency, size = figures(whole)
        print(f"{kind}: {accuracy:.2f} %, {latency:.3f} ms, {size / 1e6:.2f} MB")
    print(
        "fastest within a point of the original in int8: as the search expects, and by the samples that it did not see"
    )
    for kind, seeds in searched_kinds.items():
        for seed, rows in enumerate(seeds):
            chosen_rows = [row for row in rows if row["expected"] >= whole["expected"] - 1]
            lucky_rows = [row for row in rows if figures(row)[0] >= accuracy - 1]
            for how, near in (("expected", chosen_rows), ("unseen", lucky_rows)):
                if near:
                    row = min(near, key=lambda each: ms[each["file"]])
                    own, took, bytes_ = figures(row)
                    apart = right[row["file"]].astype(float) - right[whole["file"]]
                    error = 100 * apart.std() / np.sqrt(len(apart))
                    as_original = f"{latency / took:.2f} times as fast, {size / bytes_:.2f} times smaller"
                    print(f"  {kind:18} seed {seed} {how:8} {own - accuracy:+.2f} +- {error:.2f} points, {as_original}")


if __name__ == "__main__":
    main()
