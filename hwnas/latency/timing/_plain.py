"""A script that times ONNX files as a user would, with onnxruntime and numpy only: load a session, then run it in a loop.

    python _plain.py '{"files": [...], "beside": FILE, "rounds": 12, "seconds": 0.15, "threads": 1, ...}'

It shares no code with the timer of this package, because its purpose is to check that timer. The files take turns, so that
changes of the machine's speed affect all of them alike. It prints a JSON list with one object per file: ``ratio``, its median
as a multiple of the median of the file ``beside`` just before and after, and ``beside_ms``.
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
"""A run longer than this averages over changes of the machine's speed: this many per block, and half the rounds, are enough."""

CACHE = "present."
"""Prefix of outputs that are a decoder's cache. A program that writes text leaves them in place, so they are not copied."""


def session_of(path: str, asked: dict[str, Any]) -> Any:
    """A function that runs the file once, on a loaded session with random inputs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = asked["threads"]
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in asked["session_config"].items():
        options.add_session_config_entry(key, value)
    session = ort.InferenceSession(path, options, providers=[(asked["provider"], asked["options"])])
    metadata = session.get_modelmeta().custom_metadata_map
    sizes = {axis: int(size) for axis, size in metadata.items() if size.isdecimal()}
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
    """Median of back-to-back runs; those in the first third of the time do not count."""
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
    """Time the files named in the first argument, a JSON object; write the times to stdout."""
    asked = json.loads(sys.argv[1])
    beside = session_of(asked["beside"], asked)
    runs = [session_of(path, asked) for path in asked["files"]]
    files_ms: list[list[float]] = [[] for _ in runs]
    beside_ms: list[list[float]] = [[] for _ in runs]
    rounds = asked["rounds"]
    if block_ms(beside, asked["seconds"]) > 1e3 * LONG_SECONDS:
        rounds = -(-rounds // 2)
    for _ in range(rounds):
        before = block_ms(beside, asked["seconds"])
        for i, run in enumerate(runs):
            files_ms[i].append(block_ms(run, asked["seconds"]))
            after = block_ms(beside, asked["seconds"])
            beside_ms[i].append((before + after) / 2)
            before = after
    ratios = np.median(np.array(files_ms) / np.array(beside_ms), axis=1).tolist()
    medians = np.median(beside_ms, axis=1).tolist()
    print(json.dumps([{"ratio": r, "beside_ms": ms} for r, ms in zip(ratios, medians, strict=True)]))


if __name__ == "__main__":
    main()
