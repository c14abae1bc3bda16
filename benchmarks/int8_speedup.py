"""What int8 is worth: the same subnets in fp32 and int8, side by side on this machine's CPU.

    python -m benchmarks int8_speedup
    python benchmarks/int8_speedup.py [--device cpu] [--threads 1] [--r 224] [--subnets 10]

Both models of a subnet are loaded at once and take turns, in a new order each round. The speedup is the median over rounds of
the ratio of their times. Subnets span all sizes, from the smallest to the largest.
"""

from __future__ import annotations

import argparse

import numpy as np

from hwnas.graph import network_model
from hwnas.latency import get_device
from hwnas.latency.profiling._plain_check import of_all_sizes
from hwnas.latency.timing._block import measure_together
from hwnas.latency.timing._runtime import OnnxRuntime
from hwnas.space import get_space, macs_cost

SPACES = {"ofa_mbv3_w1.0": 10, "ofa_proxyless_w1.3": 5, "ofa_resnet50": 5}


def main() -> None:
    """Print a line per subnet, and the median and range per space."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--r", type=int, default=224)
    parser.add_argument("--subnets", type=int, help="of each space; by default 10 of the first and 5 of others")
    options = parser.parse_args()
    device = get_device(options.device, threads=options.threads)
    runtime = OnnxRuntime(device)
    print(f"fp32 against int8 on {device.id}, {device.runtime}")
    rng = np.random.default_rng(0)
    for name, usual in SPACES.items():
        space = get_space(name).restrict(r=options.r)
        macs, factors = macs_cost(space), []
        for row in of_all_sizes(space, options.subnets or usual, np.random.default_rng(0)):
            real, integer = (network_model(space.network(row), precision=precision) for precision in ("fp32", "int8"))
            found = measure_together(runtime, [real, integer], real, rng=rng)
            real_ms, integer_ms = (times.median_ms for times in found)
            factors.append(found[0].ratio / found[1].ratio)
            line = f"{macs(row[None])[0] / 1e6:6.0f} M MACs  fp32 {real_ms:6.2f} ms  int8 {integer_ms:6.2f} ms"
            print(f"  {name:20} {line}  {factors[-1]:.2f} times as fast", flush=True)
        spread = f"{min(factors):.2f} to {max(factors):.2f}"
        print(f"{name}: median {np.median(factors):.2f} times as fast, {spread} ({len(factors)} subnets)", flush=True)


if __name__ == "__main__":
    main()
