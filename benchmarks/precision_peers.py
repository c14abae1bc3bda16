"""Accuracy-aware quantisation of the original network by nncf, on the data that `benchmarks.precision_policy` has.

    python -m benchmarks.precision_peers --supernet trec.safetensors --data trec/data --test trec/test --keep precision_policy
    PEER/bin/python benchmarks/precision_peers.py --keep precision_policy        # where nncf is installed, and hwnas is not

The first, after ``precision_policy search``, writes what nncf is shown (``peers.npz``): texts to calibrate with, and those of
the search and of the test with their labels, by length. The second quantises ``original-fp32.onnx`` with at most ``--drop``
points lost on the texts of the search, and adds the file to ``fronts.json``, so that ``precision_policy time`` times it too.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

ORIGINAL, QUANTISED = "original-fp32.onnx", "nncf.onnx"
Batch = dict[str, Any]


def main() -> None:
    """The part that this environment is for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--supernet", default="trec.safetensors")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--calibrate", type=int, default=300)
    parser.add_argument("--drop", type=float, default=1.0, help="points of accuracy that may be lost")
    parser.add_argument("--keep", type=Path, default=Path("precision_policy"))
    options = parser.parse_args()
    if importlib.util.find_spec("nncf") is None:
        prepare(options)
    else:
        quantise(options)


def prepare(options: argparse.Namespace) -> None:
    """Batches of texts as arrays."""
    from hwnas.space import macs_cost
    from hwnas.study import Evaluation  # hwnas is not where nncf is

    arrays: dict[str, Any] = {}

    def keep(split: str, batches: Iterable[Any]) -> None:
        for i, (inputs, labels) in enumerate(batches):
            for name, values in {**inputs, "labels": labels}.items():
                arrays[f"{split} {i} {name}"] = values.numpy()

    for split, folder in (("search", options.data), ("test", options.test)):
        asked = Evaluation(options.supernet, data=folder, calibrate=options.calibrate)
        data, _ = asked.samples(asked.net)
        inputs = asked.net.extract(macs_cost(asked.net.space).maximum()[1]).inputs
        keep(split, data.validation(inputs))
        if split == "search":
            calibration: list[Any] = list(data.calibration(inputs))
            keep("calibration", ((each, each["attention_mask"].sum(1)) for each in calibration))
    np.savez_compressed(options.keep / "peers.npz", **arrays)


def quantise(options: argparse.Namespace) -> None:
    """By nncf, with a bound on what is lost."""
    import onnx

    nncf: Any = importlib.import_module("nncf")  # of an environment of its own: no extra of this package brings it
    found = np.load(options.keep / "peers.npz")
    fed = {split: _batches(found, split) for split in ("calibration", "search", "test")}
    path = options.keep / QUANTISED
    begun, spent = time.perf_counter(), time.process_time()
    model = nncf.quantize_with_accuracy_control(
        onnx.load(options.keep / ORIGINAL),
        nncf.Dataset(fed["calibration"], lambda pair: pair[0]),
        nncf.Dataset(fed["search"]),
        lambda model, pairs: (_accuracy(_opened(model.SerializeToString()), pairs), None),
        max_drop=options.drop / 100,
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(fed["calibration"]),
    )
    print(f"{time.perf_counter() - begun:.0f} s, {time.process_time() - spent:.0f} s of the processor")
    onnx.save(model, path)
    searched, tested = (100 * _accuracy(_opened(str(path)), fed[split]) for split in ("search", "test"))
    row = {"file": path.name, "accuracy": tested, "size_bytes": path.stat().st_size}
    print(f"{searched:.1f} % by the texts of the search; {row}")
    fronts = options.keep / "fronts.json"
    fronts.write_text(json.dumps(json.loads(fronts.read_text()) | {"original by nncf": [[row]]}))


def _batches(found: Any, split: str) -> list[tuple[Batch, Any]]:
    """Pairs of inputs and labels."""
    numbers = sorted({int(name.split()[1]) for name in found.files if name.startswith(f"{split} ")})
    pairs = []
    for i in numbers:
        named = {n.split()[2]: found[n] for n in found.files if n.startswith(f"{split} {i} ")}
        labels = named.pop("labels")
        longest = int(named["attention_mask"].sum(1).max())
        pairs.append(({name: values[:, :longest] for name, values in named.items()}, labels))
    return pairs


def _opened(model: str | bytes) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _accuracy(session: Any, pairs: Iterable[tuple[Batch, Any]]) -> float:
    """As a share of 1."""
    right = [session.run(None, inputs)[0].argmax(1) == labels for inputs, labels in pairs]
    return float(np.concatenate(right).mean())


if __name__ == "__main__":
    main()
