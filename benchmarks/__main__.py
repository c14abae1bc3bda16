"""``python -m benchmarks [NAME ...]``: the figures of BENCHMARKS.md.

Without names, runs the benchmarks that take minutes; those that take hours run only by name.
"""

from __future__ import annotations

import runpy
import sys

QUICK = {
    "ofa_finder": "the front in one run, against OFA's EvolutionFinder per budget",
    "throughput": "subnets scored per second",
    "exact_front": "exact fronts, and their optima by an integer programme",
}
SLOW = {
    "chains": "the default search with and without chains led by first-order effects",
    "table_transfer": "a latency table of another machine, adapted by seconds of measuring",
    "table_repeat": "a latency table against the clock, and the clock against itself",
    "latency_fidelity": "which way of timing layers predicts whole networks best",
    "precision_transfer": "accuracy in any precision, from few quantised subnets and a predictor of fp32",
    "precision_policy": "architecture and precision together, against fp32, int8 afterwards and int8 alone",
    "precision_peers": "quantisation by nncf, neural-compressor and modelopt, on the same data",
    "int8_speedup": "subnets in int8 against fp32 on this machine's CPU",
    "evaluation_throughput": "whole evaluations per second, against Once-for-All's loop and transformers",
    "racing": "searches that evaluate subnets on part of the samples, against searches that use all of them",
    "memory": "peak activation memory against what onnxruntime allocates",
    "soak": "500 evaluations by workers: memory, open files, processes, temporary files",
    "sample_efficiency": "hypervolume against real evaluations: LINAS, DyNAS-T's own code, baselines",
    "zero_cost": "rank correlation of scores of untrained networks, against that of their size",
    "nasbench201": "searchers on the tabular benchmark",
    "digits_supernet": "inherited against stand-alone accuracy of the supernet that ships",
    "llm_blocks": "block libraries of a language model, against simple ways to make it faster",
    "own_networks": "fronts of pretrained networks on own data, against whole layers, pruning and training alone",
    "predictors": "predictors fitted to few rows, beside scikit-learn's on the same features",
    "fit_embedded_predictor": "the predictor that ships, refitted and scored",
}


def main(names: list[str]) -> int:
    known = QUICK | SLOW
    unknown = [name for name in names if name not in known]
    if unknown:
        listed = "\n".join(f"  {name:<24} {what}" for name, what in known.items())
        print(f"no benchmark {unknown[0]!r}; there are\n{listed}", file=sys.stderr)
        return 2
    for name in names or QUICK:
        print(f"== {name}: {known[name]}", flush=True)
        sys.argv = [name]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
