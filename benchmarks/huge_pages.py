"""ONNX files timed in huge pages of memory and in the usual ones, and by the order in which sessions are loaded.

    python -m benchmarks.huge_pages FILE.onnx ... [--turns 6] [--loads 3]

Each load is a process of its own that loads one file and runs it again and again; those with and without huge pages take
turns. `--loads N` then loads each file N times in one process, and tells the time of each session in that order.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import numpy as np

from hwnas.latency.timing._plain import block_ms, session_of

PAGES = {"usual": "", "huge": "glibc.malloc.hugetlb=1"}
ASKED = {"threads": 1, "session_config": {}, "provider": "CPUExecutionProvider", "options": {}, "batch": 1}
BLOCKS, SECONDS = 10, 0.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--loads", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(session_times(options.files[0], options.loads)))
        return
    for file in options.files:
        times: dict[str, list[float]] = {pages: [] for pages in PAGES}
        for turn in range(options.turns):
            for pages in list(PAGES)[:: 1 if turn % 2 else -1]:
                times[pages] += in_a_process(file, pages, 1)
        ratio = np.array(times["usual"]) / np.array(times["huge"])
        words = ", ".join(
            f"{pages} {np.median(ms):.2f} ms ({min(ms):.2f}..{max(ms):.2f})" for pages, ms in times.items()
        )
        print(
            f"{file}: {words}; usual / huge {np.median(ratio):.3f} ({ratio.min():.3f}..{ratio.max():.3f})", flush=True
        )
        for pages in PAGES:
            loaded = [in_a_process(file, pages, options.loads) for _ in range(3)]
            print(f"  {pages}, by order of loading: {np.median(loaded, axis=0).round(2).tolist()} ms", flush=True)


def in_a_process(file: str, pages: str, loads: int) -> list[float]:
    """ms of each session."""
    line = [sys.executable, "-m", "benchmarks.huge_pages", file, "--child", "--loads", str(loads)]
    done = subprocess.run(
        line, env={**os.environ, "GLIBC_TUNABLES": PAGES[pages]}, capture_output=True, text=True, check=True
    )
    found: list[float] = json.loads(done.stdout)
    return found


def session_times(file: str, loads: int) -> list[float]:
    """ms of sessions of one file, loaded one after the other and timed in turns."""
    sessions = [session_of(file, ASKED) for _ in range(loads)]
    rng, times = np.random.default_rng(0), np.zeros((BLOCKS, loads))
    for row in times:
        for i in rng.permutation(loads):
            row[i] = block_ms(sessions[i], SECONDS)
    middle: list[float] = np.median(times, axis=0).tolist()
    return middle


if __name__ == "__main__":
    main()
