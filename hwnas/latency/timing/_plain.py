"""A script that times ONNX files as anybody would: with onnxruntime and numpy alone, one loaded session, run after run.

    python _plain.py '{"files": [...], "beside": FILE, "rounds": 12, "seconds": 0.15, "threads": 1, ...}'

It shares nothing with the timer of this package, which it is there to check. The files take turns, so that a machine whose
speed changes is as fast for one as for another. It prints one JSON list with an object per file: its median as a multiple of
that of the file ``beside`` just before and after, and that in ms.
"""

# ruff: noqa: T201

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import onnxruntime as ort

TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}

LEAST_RUNS = 5

LONG_SECONDS, LONG_RUNS = 0.2, 2
"""Longer runs are averages over the machine's speed themselves: so many of a block count, and half the rounds do."""

CACHE = "present."
"""How outputs begin that are a decoder's cache: who writes text leaves them where they are, and copies no megabytes a token."""


def session_of(path: str, asked: dict[str, Any]) -> Any:
    """A loaded session of a file, and what it is fed."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = asked["threads"]
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in asked["session_config"].items():
        options.add_session_config_entry(key, value)
    session = ort.InferenceSession(path, options, providers=[(asked["provider"], asked["options"])])
    told = session.get_modelmeta().custom_metadata_map
    sizes = {axis: int(size) for axis, size in told.items() if size.isdecimal()}
    feed = {}
    for value in session.get_inputs():
        shape = [size if isinstance(size, int) else sizes.get(size, asked["batch"]) for size in value.shape]
        feed[value.name] = np.ones(shape, dtype=TYPES[value.type])
        if value.type.startswith("tensor(float"):
            feed[value.name] = np.random.default_rng(0).standard_normal(shape).astype(TYPES[value.type])
    if not any(value.name.startswith(CACHE) for value in session.get_outputs()):
        return lambda: session.run(None, feed)
    bound = session.io_binding()
    for name, value in feed.items():
        bound.bind_cpu_input(name, value)
    for value in session.get_outputs():
        bound.bind_output(value.name)
    return lambda: session.run_with_iobinding(bound)


def block_ms(run: Any, seconds: float) -> float:
    """Median of back-to-back runs, after a third of the time in which they do not count."""
    begin = time.perf_counter()
    taken: list[float] = []
    least = LEAST_RUNS
    while time.perf_counter() - begin < seconds or len(taken) < least:
        start = time.perf_counter()
        run()
        if start - begin > seconds / 3:
            taken.append(time.perf_counter() - start)
        elif time.perf_counter() - start > LONG_SECONDS:
            least = LONG_RUNS
    return 1e3 * float(np.median(taken))


def main() -> None:
    """Time the files that the first argument, a JSON object, names; times go to stdout."""
    asked = json.loads(sys.argv[1])
    beside = session_of(asked["beside"], asked)
    runs = [session_of(path, asked) for path in asked["files"]]
    mine: list[list[float]] = [[] for _ in runs]
    around: list[list[float]] = [[] for _ in runs]
    rounds = asked["rounds"]
    if block_ms(beside, asked["seconds"]) > 1e3 * LONG_SECONDS:
        rounds = -(-rounds // 2)
    for _ in range(rounds):
        before = block_ms(beside, asked["seconds"])
        for i, run in enumerate(runs):
            mine[i].append(block_ms(run, asked["seconds"]))
            after = block_ms(beside, asked["seconds"])
            around[i].append((before + after) / 2)
            before = after
    ratios = np.median(np.array(mine) / np.array(around), axis=1)
    found = [
        {"ratio": float(ratio), "beside_ms": float(np.median(ms))} for ratio, ms in zip(ratios, around, strict=True)
    ]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
