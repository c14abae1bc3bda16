"""A latency table of another machine, adapted by seconds of measuring: its errors against the wall clock on new subnets.

    python -m benchmarks.table_transfer [--threads 1] [--resolutions 160,192,224] [--subnets 60] [--minutes 3.5]

The priors: a table of this CPU; of a similar CPU; of another number of threads; OFA's table of an i7-8700K; and none, that is,
rough times from MACs and elements. Each is adapted by the subnets that can be measured in 5, 10, 20 and 60 seconds, and all predict
the same new subnets. These are exported and timed in two passes by a separate plain process (onnxruntime and numpy only), in turns
with one anchor; their times are means of both passes, in ms at the anchor's median speed. No table can be better than the clock
repeats itself: the last row is the first pass as a prediction of the second. After an interruption, or --minutes, the same command
resumes; repeat it until it prints the table. Writes build/table_transfer.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks import DATA
from benchmarks.table_repeat import SHOWN
from hwnas.files import replacing
from hwnas.io import Journal
from hwnas.latency import (
    Anchor,
    Device,
    LatencyTable,
    Row,
    adapted_table,
    fidelity,
    find_table,
    get_device,
    measure_subnets,
    mixed_subnets,
    read_published,
)
from hwnas.latency.profiling._check import spanning_subnets
from hwnas.latency.profiling._plain_check import plain_process_times
from hwnas.latency.profiling._timer import model_of
from hwnas.latency.table._adapt import _work_ms
from hwnas.latency.timing._block import SECONDS_PER_MODEL
from hwnas.space import Population, SearchSpace, get_space

BUDGETS_S = (0, 5, 10, 20, 60)
EACH_TIME = 6
"""Files that one plain process times."""

ELSEWHERE = Path(__file__).parent / "tables"
TABLES: dict[str, str | Path] = {
    "this CPU": "amd-epyc-avx2-cpu-t1-b1",
    "a like CPU": ELSEWHERE / "amd-epyc-avx512-cpu-t1-b1",
    "a like CPU, two threads": ELSEWHERE / "amd-epyc-avx512-cpu-t2-b1",
}
PUBLISHED = "ofa_mbv3_w1.0_latency/lut_i7-8700K.csv.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resolutions", default="160,192,224")
    parser.add_argument("--subnets", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=3.5, help="after which it stops, to be resumed")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("build/table_transfer.csv"))
    options = parser.parse_args()
    space = get_space("ofa_mbv3_w1.0").restrict(r=[int(r) for r in options.resolutions.split(",")])
    device = get_device("cpu", threads=options.threads)
    known = spanning_subnets(space, int(max(BUDGETS_S) / SECONDS_PER_MODEL))
    pool = mixed_subnets(space, 2 * options.subnets + len(known), np.random.default_rng(17))
    seen = {row.tobytes() for row in known}
    fresh = np.array([row for row in pool if row.tobytes() not in seen][: options.subnets], dtype=known.dtype)
    anchor, end = known[len(known) // 3], time.monotonic() + 60 * options.minutes
    known_ratios = _known(device, space, known, anchor, options.out.with_suffix(".known.jsonl"), end)
    passes, anchor_ms = _fresh(device, space, fresh, anchor, options.out.with_suffix(".fresh.jsonl"), end)
    known_ms, fresh_ms = known_ratios * anchor_ms, passes.mean(axis=0) * anchor_ms

    rows: list[dict[str, str | float]] = []
    for name, table in priors(space, options.data):
        for seconds in BUDGETS_S:
            n = max(1, int(seconds / SECONDS_PER_MODEL))
            new = adapted_table(table, device, space, known[:n], known_ms[:n])[0] if seconds else table
            error = fidelity(new.cost(space)(fresh), fresh_ms)
            rows.append({"prior": name, "seconds": seconds, "subnets": n if seconds else 0, **error})
    rows.append({"prior": "the clock itself", "seconds": "", "subnets": "", **fidelity(passes[0], passes[1])})
    with replacing(options.out) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"\n{device.id}, {space.name} at {options.resolutions}, {len(fresh)} fresh subnets, {fresh_ms.min():.1f} to "
          f"{fresh_ms.max():.1f} ms")  # fmt: skip
    print(f"| {'prior':24} | seconds | subnets | " + " | ".join(SHOWN) + " |\n|" + "---|" * (3 + len(SHOWN)))
    for row in rows:
        numbers = " | ".join(f"{row[name]:.3f}" if name == "spearman" else f"{row[name]:.1f}" for name in SHOWN)
        print(f"| {row['prior']:24} | {row['seconds']} | {row['subnets']} | {numbers} |")
    print(f"wrote {options.out}")


def priors(space: SearchSpace, data: Path) -> Iterator[tuple[str, LatencyTable]]:
    """Tables of earlier days, of other machines, and rough times without a table."""
    for name, table in TABLES.items():
        yield name, find_table(table)
    if (data / PUBLISHED).is_file():
        yield "OFA's i7-8700K", read_published(data / PUBLISHED, "i7-8700K", space)
    rows = []
    for key, layer in space.layers().items():
        ms = sum(_work_ms(layer).values())
        rows.append(Row(key, ms, ms, ms, 0, layer.macs))
    yield "nothing", LatencyTable.of(Device("nothing", ""), rows)


def _known(
    device: Device, space: SearchSpace, x: Population, anchor: Population, journal: Path, end: float
) -> NDArray[np.float64]:
    """``(n,)`` times of the adapting subnets as multiples of the anchor's, measured as in the check before a search."""
    journal.parent.mkdir(parents=True, exist_ok=True)

    def tell(done: int, steps: int, _: str) -> None:
        print(f"adapting: {done} of {steps} subnets are timed", flush=True)
        _stop(end, done < steps)

    beside = Anchor(space.network(anchor), 1.0)  # so that times "at the table's speed" are multiples of the anchor's
    found = measure_subnets(device, space, x, journal, anchor=beside, sessions=1, progress=tell)
    print(found.load.words, flush=True)
    return np.array([m.at_table_speed_ms for m in found.measurements], dtype=float)


def _fresh(
    device: Device, space: SearchSpace, x: Population, anchor: Population, path: Path, end: float
) -> tuple[NDArray[np.float64], float]:
    """``(2, n)`` times of exported files as multiples of the anchor's in two passes of a plain process, and its median in ms."""
    modelled = model_of(device, "fp32")
    identity = {"device": device.to_json(), "space": space.fingerprint, "anchor": space.decode(anchor)}
    with Journal(path, identity) as journal, TemporaryDirectory(prefix="hwnas-") as folder:
        beside = Path(folder) / "anchor.onnx"
        beside.write_bytes(modelled(space.network(anchor)).content)
        found = {(e["pass"], e["arch"]): (e["ratio"], e["beside_ms"]) for e in journal.entries}
        names = [json.dumps(space.decode(row)) for row in x]
        both = [((turn, name), row) for turn in (0, 1) for name, row in zip(names, x, strict=True)]
        todo = [each for each in both if each[0] not in found]
        for start in range(0, len(todo), EACH_TIME):
            _stop(end, True)
            few = todo[start : start + EACH_TIME]
            files = [Path(folder) / f"{i}.onnx" for i in range(len(few))]
            for (_, row), file in zip(few, files, strict=True):
                file.write_bytes(modelled(space.network(row)).content)
            for (which, _), (ratio, beside_ms) in zip(few, plain_process_times(device, files, beside), strict=True):
                found[which] = ratio, beside_ms
                journal.append({"pass": which[0], "arch": which[1], "ratio": ratio, "beside_ms": beside_ms})
            print(f"judging: {len(found)} of {len(both)} files are timed", flush=True)
    ratios, anchors_ms = np.array([found[which] for which, _ in both]).T
    return ratios.reshape(2, -1), float(np.median(anchors_ms))


def _stop(end: float, more: bool) -> None:
    if more and time.monotonic() > end:
        raise SystemExit("time is up; what was measured is kept, and the same command resumes")


if __name__ == "__main__":
    main()
