"""A latency table against the clock, and the clock against itself: the same unseen subnets, timed twice.

    python -m benchmarks.table_repeat --space hf:FOLDER --fix l=32 [--precision fp32,int8] [--subnets 60] [--minutes 3.5]

No table can be better than the clock repeats itself, so both errors are printed. The table is made as in `hwnas profile`. It is
judged on subnets that are timed in two passes of two sessions each; the row "clock" is the first pass as a prediction of the
second. Other subnets, of all sizes, are timed as exported files by a plain process. After an interruption, or --minutes, the same
command resumes. Its journal (build/table_repeat-*.jsonl) is kept, so that other ways of making a table can be tried on the same
times.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwnas.graph import mixed_space, parse_precision
from hwnas.io import Journal
from hwnas.latency import Anchor, LatencyTable, Plan, fidelity, get_device
from hwnas.latency.profiling._calibrate import calibrate
from hwnas.latency.profiling._make_table import AnchorRow
from hwnas.latency.profiling._methods import CALIBRATION, VALIDATION, LayerTime, in_context, networks_by_name
from hwnas.latency.profiling._plain_check import check_by_plain_process
from hwnas.latency.profiling._subnets import Subnets, choose_subnets
from hwnas.latency.profiling._timer import JournaledTimer, model_of
from hwnas.latency.table._adapt import fixed_layers
from hwnas.latency.timing._runtime import OnnxRuntime
from hwnas.space import AdditiveCost, Network, SearchSpace, macs_cost
from hwnas.supernet import reference_kind

PASSES = VALIDATION, f"{VALIDATION} again"
SHOWN = ("within_5_pct", "within_10_pct", "mape_pct", "bias_pct", "spearman")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="ofa_mbv3_w1.0")
    parser.add_argument("--fix", default="", help="l=32 or r=160,192")
    parser.add_argument("--precision", type=parse_precision, default="fp32", help="fp32,int8: each layer its own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--subnets", type=int, default=60)
    parser.add_argument("--plain", type=int, default=12, help="subnets that a plain process times")
    parser.add_argument("--minutes", type=float, default=3.5, help="after which it stops, to be resumed")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    space = mixed_space(reference_kind(options.space).space(), options.precision)
    if options.fix:
        gene, _, values = options.fix.partition("=")
        space = space.restrict(**{gene: [int(value) for value in values.split(",")]})
    device, plan = get_device("cpu", threads=options.threads), Plan(n_validation=options.subnets)
    row = AnchorRow.of(space, LatencyTable(device, {}), plan).row
    identity = {"device": device.to_json(), "space": space.fingerprint, "fix": options.fix, "anchor": row.tolist()}
    short = hashlib.sha256(repr(identity).encode()).hexdigest()[:6]
    path = Path("build") / f"table_repeat-{space.name.replace('/', '-')}-{options.fix}-{short}.jsonl"
    path.parent.mkdir(exist_ok=True)
    end = time.monotonic() + 60 * options.minutes

    def tell(done: int, steps: int, stage: str) -> None:
        print(f"{done} of {steps}: {stage}", flush=True)
        if done < steps and time.monotonic() > end:
            raise SystemExit("time is up; what was measured is kept, and the same command resumes")

    with Journal(path, identity) as journal:
        network, modelled = space.network(row), model_of(device, options.precision)
        timer = JournaledTimer(OnnxRuntime(device), modelled, network, journal, plan.sessions, 0, tell)
        subnets = choose_subnets(space, plan)
        judges = networks_by_name(space, subnets.validation)
        timer.steps = len(subnets.cover) + plan.sessions * (len(subnets.calibration) + 2 * len(judges))
        times = layer_times(timer, space, subnets)
        first, again = (
            np.array([t.ratio for t in timer.measure(stage, judges, sessions=plan.sessions).values()])
            for stage in PASSES
        )
        anchor_ms = float(np.median([t.anchor_ms for t in timer.times.values()]))
        cost = AdditiveCost.from_layers(space, lambda layer: times[layer.key].median * anchor_ms)
        others = check_by_plain_process(
            device, cost, Anchor(network, anchor_ms), modelled, journal, seed=0, files=options.plain
        )
    predicted = sums(times, judges.values())
    both = middle(timer, judges)
    print(f"\n{device.id}, {space.name} at {options.fix or 'all inputs'}: {len(both)} unseen subnets, "
          f"{both.min() * anchor_ms:.2f} to {both.max() * anchor_ms:.2f} ms")  # fmt: skip
    print(f"| {'what':30} | " + " | ".join(SHOWN) + " |\n|" + "---|" * (1 + len(SHOWN)))
    tell_errors("table, both passes", predicted, both)
    tell_errors("table, first pass", predicted, first)
    tell_errors("clock, first against second", first, again)
    tell_errors(f"table, {len(others[0])} by a plain process", *others[:2])
    tell_thirds(space, subnets, predicted, both)


def layer_times(timer: JournaledTimer, space: SearchSpace, subnets: Subnets) -> dict[str, LayerTime]:
    """Calibrated times of all layers, by key."""
    seen = in_context(timer, networks_by_name(space, subnets.cover))
    if seen is None:
        raise SystemExit("the runtime's profile does not show the layers")
    networks = networks_by_name(space, subnets.calibration)
    ratios = {name: t.ratio for name, t in timer.measure(CALIBRATION, networks).items()}
    return calibrate(seen, networks, ratios, space.layers(), fixed_layers(space))


def middle(timer: JournaledTimer, networks: Mapping[str, Network]) -> NDArray[np.float64]:
    """``(n,)`` median ratios over all sessions of both passes."""
    found = timer.times.items()
    return np.array(
        [np.median([t.ratio for (stage, own, _), t in found if stage in PASSES and own == name]) for name in networks]
    )


def sums(times: Mapping[str, LayerTime], networks: Iterable[Network]) -> NDArray[np.float64]:
    """``(n,)`` predictions."""
    return np.array([sum(times[layer.key].median for _, layer in network) for network in networks])


def tell_errors(what: str, predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> None:
    """Print one row of errors."""
    error = fidelity(predicted, measured)
    numbers = " | ".join(f"{error[name]:.3f}" if name == "spearman" else f"{error[name]:.1f}" for name in SHOWN)
    print(f"| {what:30} | {numbers} |")


def tell_thirds(
    space: SearchSpace, subnets: Subnets, predicted: NDArray[np.float64], measured: NDArray[np.float64]
) -> None:
    """Print errors by size of the subnets."""
    order = np.argsort(macs_cost(space)(subnets.validation), kind="stable")
    for what, part in zip(("smallest", "middle", "largest"), np.array_split(order, 3), strict=True):
        tell_errors(f"table, {what} third", predicted[part], measured[part])


if __name__ == "__main__":
    main()
