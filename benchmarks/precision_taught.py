"""What short training of a chosen network brings to fronts of architecture and precision (``hwnas train --front``).

    python -m benchmarks.precision_taught --supernet trec.safetensors --data trec/data --test trec/test --keep precision_policy

Reads what ``benchmarks.precision_policy search`` and ``time`` left in ``--keep``. Of each front, the member with the highest
expected accuracy among those that are ``--faster`` times as fast and ``--smaller`` times smaller than the original in int8 is
trained alone for ``--steps``, taught by the largest subnet as it was. Accuracies are of quantised graphs, on samples that took
no part in training, search or choice.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.precision_policy import ALL
from benchmarks.racing import Answered
from hwnas.io import Journal
from hwnas.study import Evaluation
from hwnas.study._racing import can_race
from hwnas.study._training import Training
from hwnas.supernet import MeasuredAnswers, accuracy_journal_identity, get_engine
from hwnas.supernet.train import ALONE


def main() -> None:
    """Choose, train, and print each kind of front's members before and after."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--supernet", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--keep", type=Path, default=Path("precision_policy"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--calibrate", type=int, default=300)
    parser.add_argument("--faster", type=float, default=3.0)
    parser.add_argument("--smaller", type=float, default=0.0)
    options = parser.parse_args()
    fronts = json.loads((options.keep / "fronts.json").read_text())["fronts"]
    ms = json.loads((options.keep / "timed.json").read_text())
    right = np.load(options.keep / "right.npz")
    ((whole,),) = fronts["original int8"]
    taught: dict[str, NDArray[np.bool_]] = {}
    for kind, seeds in fronts.items():
        for seed, rows in enumerate(seeds if "original" not in kind else ()):
            row = _chosen(rows, ms, whole, options)
            if row is None:
                print(f"{kind:18} seed {seed}: none is so fast and small")
                continue
            file = row["file"]
            if file not in taught:
                taught[file] = _right_after_training(file, options)
            before, after = (_apart(each, right[whole["file"]]) for each in (right[file], taught[file]))
            costs = f"{ms[whole['file']] / ms[file]:.2f} times as fast, {whole['size_bytes'] / row['size_bytes']:.2f} times smaller"
            print(f"{kind:18} seed {seed}: {costs}, {before} points before, {after} after", flush=True)


def _chosen(
    rows: list[dict[str, Any]], ms: dict[str, float], whole: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any] | None:
    """The member expected to be most accurate among those that are fast and small enough."""
    near = [
        row
        for row in rows
        if options.faster * ms[row["file"]] <= ms[whole["file"]]
        and options.smaller * row["size_bytes"] <= whole["size_bytes"]
    ]
    return max(near, key=lambda row: row["expected"], default=None)


def _right_after_training(file: str, options: argparse.Namespace) -> NDArray[np.bool_]:
    """Which test samples a member gets right after training it alone."""
    row = np.array([[int(choice) for choice in file.removesuffix(".onnx").split("-")]], dtype=np.int16)
    asked = Evaluation(options.supernet, data=options.data, calibrate=options.calibrate)
    checkpoint = options.keep / f"{file.removesuffix('.onnx')}.taught-{options.steps}.safetensors"
    if not checkpoint.exists():
        space = asked.net.space
        arch = json.dumps(space.decode(row[0, : space.n_genes]))
        state = checkpoint.with_suffix(".state")
        trainer = Training(options.supernet, state, data=options.data, steps=options.steps, arch=arch).trainer(ALONE)
        begun = time.process_time()
        trainer.run()
        print(f"{checkpoint.name}: {time.process_time() - begun:.0f} s of the processor", flush=True)
        trainer.supernet.save(checkpoint, trainer.provenance())
        state.unlink(missing_ok=True)
    by = Evaluation(str(checkpoint), data=options.test, calibrate=options.calibrate)
    net = by.net.in_precision(ALL)
    data, about = by.samples(net)
    can = can_race(data)
    with Journal(checkpoint.with_suffix(".jsonl"), accuracy_journal_identity(net, about)) as journal:
        answered = Answered(
            MeasuredAnswers(net, can, journal, get_engine()), np.arange(can.n_validation), can.n_validation
        )
        found: NDArray[np.bool_] = answered.of(row)[0] > 0
    return found


def _apart(right: NDArray[np.bool_], whole: NDArray[np.bool_]) -> str:
    """Percentage points from the original, with their standard error."""
    apart = right.astype(float) - whole
    return f"{100 * apart.mean():+.2f} +- {100 * apart.std() / np.sqrt(len(apart)):.2f}"


if __name__ == "__main__":
    main()
