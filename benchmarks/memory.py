"""Predicted peak memory against what onnxruntime allocates, on whole subnets.

    python benchmarks/memory.py [--subnets 40] [--spaces ofa_mbv3_w1.0,...]

From the second run on, onnxruntime places all activations of a network in one buffer, whose size its arena logs. This size is
compared with `PeakMemory`, which counts only live activations. The buffer also holds padding of channels and copies in another
layout, and has gaps between buffers.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray

from hwnas.latency import fidelity
from hwnas.space import PeakMemory, Population, SearchSpace, get_space

SPACES = ("ofa_mbv3_w1.0", "ofa_mbv3_w1.2", "ofa_proxyless_w1.3", "ofa_resnet50")
_EXTENDED = re.compile(r"Extended allocation by (\d+) bytes")
_RUN = "second run"


def main() -> None:
    """Print a table; with ``--measure``, run the networks as the subprocess whose log is read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subnets", type=int, default=40)
    parser.add_argument("--spaces", default=",".join(SPACES))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        _allocate(get_space(options.measure), options.subnets)
        return
    print(f"{'space':20} {'n':>3} {'Spearman':>9} {'median':>8} {'5..95 % of the ratio predicted / allocated':>20}")
    for name in options.spaces.split(","):
        space = get_space(name)
        x = _subnets(space, options.subnets)
        predicted, allocated = PeakMemory(space)(x), _allocated(name, options.subnets)
        ratio = predicted / allocated
        low, median, high = np.quantile(ratio, (0.05, 0.5, 0.95))
        spearman = fidelity(predicted, allocated)["spearman"]
        print(f"{name:20} {len(x):3} {spearman:9.3f} {median:8.2f} {low:8.2f} .. {high:.2f}", flush=True)


def _subnets(space: SearchSpace, n: int) -> Population:
    """Subnets of all sizes and resolutions."""
    rng = np.random.default_rng(0)
    return np.concatenate([space.sample(n // 2, rng), space.sample(n - n // 2, rng, distinct_uniform=False)])


def _allocated(name: str, n: int) -> NDArray[np.float64]:
    """``(n,)`` bytes, from the log of a subprocess."""
    command = [sys.executable, __file__, "--measure", name, "--subnets", str(n)]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return np.array([max(map(int, _EXTENDED.findall(part))) for part in log.split(_RUN)[1:]], dtype=float)


def _allocate(space: SearchSpace, n: int) -> None:
    """Run each subnet twice; the arena frees its memory after each run."""
    import onnxruntime as ort

    from hwnas.graph import build_model

    ort.set_default_logger_severity(0)
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    as_requested = {"arena_extend_strategy": 1, "initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    ort.create_and_register_allocator(info, ort.OrtArenaCfg({"max_mem": 0, **as_requested}))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.use_env_allocators", "1")
    run = ort.RunOptions()
    run.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    for row in _subnets(space, n):
        network = space.network(row)
        model = build_model(network, batch=1).SerializeToString()
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        feed = {"input": np.zeros((1, *network[0][1].input_shape), dtype=np.float32)}
        session.run(None, feed, run)
        print(_RUN, file=sys.stderr, flush=True)
        session.run(None, feed, run)


if __name__ == "__main__":
    main()
