"""Architecture and precision searched together, against one after the other and each alone.

    python -m benchmarks.precision_policy search --supernet digits --fix r=8,16
    python -m benchmarks.precision_policy time --supernet digits --fix r=8,16
    python -m benchmarks.precision_policy search --supernet trec.safetensors --data trec/data --test trec/test --fix l=32 --evals 60

Fronts of measured accuracy against the latency of a table of this machine (``hwnas profile --precision fp32,int8`` first), with
the same number of evaluations each: *joint*; *fp32*; *then int8*, the fp32 front quantised afterwards; *int8*, architectures of
which all is int8; and *original*, the whole network in int8 (with ``--original``, of another supernet: that with all
rows of its embeddings). Of texts also *joint, int4 words*: the joint front with the
tables of its embeddings in four bits. ``search`` evaluates on the quantised graph (a journal in ``--keep``
serves all seeds, and a run that was interrupted goes on), members of fronts on ``--test`` too, and writes their files; ``time``
times all files in one run by plain onnxruntime, next to the original in fp32, and prints hypervolumes and what the original in
int8 compares with. The hypervolume's reference point is the worst of all fronts, of a tenth of the range more.
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

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.expected import searched
from hwnas.graph import Model, build_model, in_precision
from hwnas.io import Journal
from hwnas.latency import find_table_for, get_device
from hwnas.search import Objective, Problem, hypervolume
from hwnas.space import AdditiveCost, Population, SearchSpace, macs_cost
from hwnas.space.ops import Embedding
from hwnas.study import Evaluation
from hwnas.study._space import restricted
from hwnas.supernet import MeasuredAccuracy, Supernet, accuracy_journal_identity, folded_weights, save_onnx

MIXED, SEARCHED = "fp32+int8+int4", "fp32+int8"
ROUNDS, RUNS = 8, 6


def main() -> None:
    """One of the two parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("part", choices=("search", "time"))
    parser.add_argument("--supernet", default="digits")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--test", type=Path, help="data that took no part in the search; by default the same")
    parser.add_argument("--original", help="supernet whose largest subnet others compare with; by default the same")
    parser.add_argument("--fix", action="append", default=[])
    parser.add_argument("--evals", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--calibrate", type=int, default=300)
    parser.add_argument(
        "--most", type=int, default=10, help="members of a front that are timed: of more, evenly spread"
    )
    parser.add_argument("--keep", type=Path, default=Path("precision_policy"))
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    if options.part == "search":
        search(options)
    else:
        timed = time_files(sorted(options.keep.glob("*.onnx")), options.keep / "original-fp32.onnx")
        report(json.loads((options.keep / "fronts.json").read_text()), timed)


# --- searching ------------------------------------------------------------------------------


def search(options: argparse.Namespace) -> None:
    """Fronts of every kind and seed, as files and ``fronts.json``."""
    asked = Evaluation(options.supernet, data=options.data, calibrate=options.calibrate)
    first = asked if options.original is None else replace(asked, supernet=options.original)
    net, original = (each.net.in_precision(MIXED) for each in (asked, first))
    space = restricted(net.space, [*options.fix, f"q={SEARCHED.replace('+', ',')}"])
    table = find_table_for(get_device("cpu"), space, SEARCHED)
    assert table is not None, f"no table: hwnas profile --precision fp32,int8 --space {options.supernet}"
    with ExitStack() as until_done:

        def measured(of: Supernet, by: Evaluation, journal: str) -> MeasuredAccuracy:
            data, about = by.samples(of)
            kept = until_done.enter_context(Journal(options.keep / journal, accuracy_journal_identity(of, about)))
            return MeasuredAccuracy(of, data, kept)

        accuracy = measured(net, asked, "journal.jsonl")
        test = options.test or options.data
        tested = accuracy if test is options.data else measured(net, replace(asked, data=test), "test.jsonl")
        whole = tested if original is net else measured(original, replace(first, data=test), "original.jsonl")
        fronts = _fronts(space, accuracy, table.cost(space), options)
        told = {
            kind: [[written(tested, row, options.keep, "-".join(map(str, row.tolist()))) for row in x] for x in seeds]
            for kind, seeds in fronts.items()
        }
        largest = macs_cost(original.space).maximum()[1][None]
        for kind in ("fp32", "int8"):
            (row,) = _all(original.space, largest, kind)
            told[f"original {kind}"] = [[written(whole, row, options.keep, f"original-{kind}")]]
    (options.keep / "fronts.json").write_text(json.dumps(told))


def _fronts(
    space: SearchSpace, accuracy: MeasuredAccuracy, latency: AdditiveCost, options: argparse.Namespace
) -> dict[str, list[Population]]:
    """By kind, of each seed."""
    fronts: dict[str, list[Population]] = {}
    parts = {"joint": space, "fp32": space.restrict(q="fp32"), "int8": space.restrict(q="int8")}
    for seed in range(options.seeds):
        for kind, part in parts.items():
            slow = Objective(accuracy.supernet.metric, "%", True, accuracy)
            problem = Problem(part, [slow, Objective("latency_ms", "ms", False, latency)], slow=[slow.name])
            x, _ = searched(problem, accuracy, options.evals, seed)
            along = np.argsort(latency(x))
            few = np.unique(np.linspace(0, len(x) - 1, min(len(x), options.most)).astype(int))
            fronts.setdefault(kind, []).append(x[along[few]])
            print(f"{time.strftime('%H:%M:%S')} seed {seed} {kind}: {len(x)} on the front", flush=True)
    fronts["then int8"] = [_all(space, x, "int8") for x in fronts["fp32"]]
    if words := _words(space):
        fronts["joint, int4 words"] = [_with(space, x, words, "int4") for x in fronts["joint"]]
    return fronts


def _all(space: SearchSpace, x: Population, precision: str) -> Population:
    """The same archs, every layer in one precision."""
    return _with(space, x, [c for c, gene in enumerate(space.genes) if gene.role == "precision"], precision)


def _words(space: SearchSpace) -> list[int]:
    """Columns of the precisions of tables of embeddings."""
    found = []
    for slot in space.slots:
        layers = [layer for _, layer in space.slot_layers(slot) if layer is not None]
        own = [c for c in slot.genes if space.genes[c].role == "precision"]
        if own and any(isinstance(op, Embedding) for layer in layers for op in layer.ops):
            found.append(max(own))
    return found


def _with(space: SearchSpace, x: Population, columns: Sequence[int], precision: str) -> Population:
    """The same archs, some layers in another precision."""
    other = x.copy()
    for column in columns:
        other[:, column] = space.genes[column].choices.index(precision)
    return space.canonical(other)


def written(tested: MeasuredAccuracy, row: NDArray[Any], folder: Path, name: str) -> dict[str, Any]:
    """Accuracy, size and file of a subnet; neither how long the file takes nor its bytes depend on the ranges that were seen."""
    path = folder / f"{name}.onnx"
    if not path.exists():
        subnet = tested.supernet.extract(row)
        save_onnx(in_precision(build_model(subnet.network, weights=folded_weights(subnet)), MIXED), path, {})
    return {"file": path.name, "accuracy": float(tested(row[None])[0]), "size_bytes": path.stat().st_size}


# --- timing ---------------------------------------------------------------------------------


def time_files(paths: Sequence[Path], anchor: Path) -> dict[str, float]:
    """Milliseconds by file name: medians of ratios to the anchor, which is timed before and after every block of a file."""
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


def report(fronts: Mapping[str, Any], ms: Mapping[str, float]) -> None:
    """Hypervolumes as shares of the joint front's, and the joint front against the original in int8."""
    points = {
        kind: [np.array([[row["accuracy"], ms[row["file"]], row["size_bytes"]] for row in x]) for x in seeds]
        for kind, seeds in fronts.items()
    }
    every = np.concatenate([p for kind, seeds in points.items() if "original" not in kind for p in seeds])
    low, high = every.min(axis=0), every.max(axis=0)
    corner = [low[0] - 0.1 * (high[0] - low[0]), high[1] + 0.1 * (high[1] - low[1])]
    volumes = {
        kind: np.array([hypervolume(p[:, :2], corner, [True, False]) for p in seeds])
        for kind, seeds in points.items()
        if "original" not in kind
    }
    print("hypervolume of accuracy and measured latency, percent of the joint front's: mean, by seed")
    for kind, found in volumes.items():
        share = 100 * found / volumes["joint"]
        print(f"  {kind:10} {share.mean():6.2f}   {'  '.join(f'{s:.2f}' for s in share)}")
    for kind, seeds in points.items():
        if "original" in kind:
            ((accuracy, latency, size),) = seeds[0]
            print(f"{kind}: {accuracy:.2f} %, {latency:.3f} ms, {size / 1e6:.2f} MB")
    (whole,) = points["original int8"][0]
    for kind, seeds in points.items():
        for seed, front in enumerate(seeds):
            near = front[front[:, 0] >= whole[0] - 1]
            if len(near) and "original" not in kind:
                accuracy, took, size = near[near[:, 1].argmin()]
                told = f"{accuracy:.2f} %, {whole[1] / took:.2f} times as fast, {whole[2] / size:.2f} times smaller"
                print(f"  {kind:10} seed {seed}, fastest within a point of the original in int8: {told}")


if __name__ == "__main__":
    main()
