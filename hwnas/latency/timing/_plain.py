"""A script that times ONNX files as anybody would: with onnxruntime and numpy alone, one loaded session, run after run.

    python _plain.py '{"files": [...], "beside": FILE, "seconds": 0.4, "threads": 1, ...}'

It shares nothing with the timer of this package, which it is there to check. It prints one JSON list with an object per
file: its median in ms, and that of the file ``beside`` just before and after.
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

LEAST_RUNS = 8


def session_of(path: str, asked: dict[str, Any]) -> Any:
    """A loaded session of a file, and what it is fed."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = asked["threads"]
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in asked["session_config"].items():
        options.add_session_config_entry(key, value)
    session = ort.InferenceSession(path, options, providers=[(asked["provider"], asked["options"])])
    feed = {}
    for value in session.get_inputs():
        shape = [size if isinstance(size, int) else asked["batch"] for size in value.shape]
        feed[value.name] = np.ones(shape, dtype=TYPES[value.type])
        if value.type.startswith("tensor(float"):
            feed[value.name] = np.random.default_rng(0).standard_normal(shape).astype(TYPES[value.type])
    return lambda: session.run(None, feed)


def median_ms(run: Any, seconds: float) -> float:
    """Median of back-to-back runs, after a third of the time in which they do not count."""
    begin = time.perf_counter()
    taken: list[float] = []
    while time.perf_counter() - begin < seconds or len(taken) < LEAST_RUNS:
        start = time.perf_counter()
        run()
        if start - begin > seconds / 3:
            taken.append(time.perf_counter() - start)
    return 1e3 * float(np.median(taken))


def main() -> None:
    asked = json.loads(sys.argv[1])
    beside = session_of(asked["beside"], asked)
    found = []
    for path in asked["files"]:
        run = session_of(path, asked)
        before = median_ms(beside, asked["seconds"] / 2)
        mine = median_ms(run, asked["seconds"])
        after = median_ms(beside, asked["seconds"] / 2)
        found.append({"median_ms": mine, "beside_ms": (before + after) / 2})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
