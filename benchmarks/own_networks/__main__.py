"""Real pretrained networks on real data: the searched front against simple baselines, by accuracy and the clock.

    python -m benchmarks.own_networks trec --steps 300 --seed 0      # also: rare, cifar10, sst2
    python -m benchmarks.own_networks trec --steps 300 --report

Every part runs in its own process, so that its peak memory can be measured, and skips results of an earlier run: the same command
resumes. Needs the shared data sets (``HWNAS_SHARED_DATA``) and ``pip install 'hwnas[benchmarks]'``.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.own_networks._latency import latency
from benchmarks.own_networks._paired import paired
from benchmarks.own_networks._pruned import pruned
from benchmarks.own_networks._quantised import quantised
from benchmarks.own_networks._report import report
from benchmarks.own_networks._run import Run
from benchmarks.own_networks._searchers import searchers
from benchmarks.own_networks._subnets import alone, compare, plain
from benchmarks.own_networks._tasks import TASKS

PARTS: dict[str, Callable[[Run], None]] = {
    "plain": plain,
    "compare": compare,
    "pruned": pruned,
    "latency": latency,
    "alone": alone,
    "paired": paired,
    "searchers": searchers,
    "quantised": quantised,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tasks", nargs="*", help=f"of {', '.join(TASKS)}; all, if none is named")
    parser.add_argument("--steps", type=int, default=300, help="of every training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluations", type=int, default=100, help="subnets that a search evaluates")
    parser.add_argument(
        "--hidden-widths", type=int, nargs="+", default=[], help="channels that subnets choose from too"
    )
    parser.add_argument("--embedding-rows", type=int, help="of the table of tokens of an encoder of texts")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--here", action="store_true", help="all parts in this process")
    parser.add_argument(
        "--report", action="store_true", help="print what the runs of the task with so many steps found"
    )
    parser.add_argument("--root", type=Path, default=Path("build/own_networks"))
    options = parser.parse_args()
    if unknown := set(options.tasks) - set(TASKS):
        parser.error(f"no task {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    for task in options.tasks or TASKS:
        run = Run(
            TASKS[task],
            options.steps,
            options.seed,
            options.evaluations,
            options.root,
            tuple(options.hidden_widths),
            options.embedding_rows,
        )
        if options.report:
            print(report(run))
            continue
        run.folder.mkdir(parents=True, exist_ok=True)
        for part in options.parts:
            if options.here:
                perform(run, part)
            else:
                own = [f"--{name}={getattr(options, name)}" for name in ("steps", "seed", "evaluations", "root")]
                if run.widths:
                    own += ["--hidden-widths", *map(str, run.widths)]
                if run.rows:
                    own.append(f"--embedding-rows={run.rows}")
                command = [sys.executable, "-m", "benchmarks.own_networks", task, *own, "--here", "--parts", part]
                subprocess.run(command, check=True)
    return 0


def perform(run: Run, part: str) -> None:
    """Run one part, and record its time and memory."""
    if run.entries(cost="part", name=part):
        return
    torch.set_num_threads(1)
    start, processor = time.time(), time.process_time()
    PARTS[part](run)
    run.record(
        cost="part",
        name=part,
        minutes=(time.time() - start) / 60,
        processor_minutes=(time.process_time() - processor) / 60,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    print(f"{time.strftime('%H:%M:%S')} {run.folder.name}: {part} done", flush=True)


if __name__ == "__main__":
    sys.exit(main())
