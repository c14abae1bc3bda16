"""Which way of timing layers predicts whole networks best: several approaches in one run, on the same held-out subnets.

    python -m benchmarks.latency_fidelity [--space ofa_mbv3_w1.0] [--resolution 224] [--threads 1] [--subnets 100]

Times are taken of operators alone (a convolution with its activation, a squeeze-excite, an addition), of layers alone, and of
layers inside whole networks; by the clock, or as multiples of an anchor network beside them. They are used unchanged, with one
scale, or with each layer adjusted by whole subnets. Takes about seven minutes; after an interruption the same command resumes.
Writes build/latency_fidelity.csv.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.table_repeat import SHOWN, sums
from hwnas.files import replacing
from hwnas.io import Journal
from hwnas.latency import LatencyTable, Plan, fidelity, get_device
from hwnas.latency.profiling._calibrate import calibrate
from hwnas.latency.profiling._layer_times import NetworkTimes
from hwnas.latency.profiling._make_table import AnchorRow
from hwnas.latency.profiling._methods import (
    CALIBRATION,
    COVER_SESSIONS,
    ISOLATED,
    VALIDATION,
    in_context,
    networks_by_name,
    scaled,
    timed_alone,
)
from hwnas.latency.profiling._subnets import choose_subnets
from hwnas.latency.profiling._timer import JournaledTimer, Timer, model_of
from hwnas.latency.table._adapt import fixed_layers
from hwnas.latency.timing._block import TOGETHER
from hwnas.latency.timing._runtime import OnnxRuntime
from hwnas.space import LayerSpec, Network, Op, SearchSpace, get_space
from hwnas.space.ops import Activation, GlobalPool, Mul

BUILD = Path("build")
OPERATORS = "operators"
Networks = dict[str, Network]


@dataclass
class ByClock:
    """A timer that divides clock times by the anchor's usual time, instead of the anchor's time beside them."""

    timer: JournaledTimer
    anchor_ms: float
    steps: int = 0

    def __post_init__(self) -> None:
        self.times = self.timer.times

    def measure(
        self, stage: str, networks: Mapping[str, Network], *, layers: bool = False, sessions: int | None = None
    ) -> dict[str, NetworkTimes]:
        times = self.timer.measure(stage, networks, layers=layers, sessions=sessions)
        return {name: self._clocked(t) for name, t in times.items()}

    def _clocked(self, t: NetworkTimes) -> NetworkTimes:
        ratio = t.median_ms / self.anchor_ms
        slots = t.slots and {
            slot: (low * ratio / t.ratio, median * ratio / t.ratio, high * ratio / t.ratio)
            for slot, (low, median, high) in t.slots.items()
        }
        return replace(t, ratio=ratio, slots=slots)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="ofa_mbv3_w1.0")
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--subnets", type=int, default=100)
    parser.add_argument("--out", type=Path, default=BUILD / "latency_fidelity.csv")
    options = parser.parse_args()
    space = get_space(options.space).restrict(r=options.resolution)
    device, plan = get_device("cpu", threads=options.threads), Plan(n_validation=options.subnets)
    anchor = space.network(AnchorRow.of(space, LatencyTable(device, {}), plan).row)
    identity = {"device": device.to_json(), "space": space.fingerprint, "r": options.resolution, "plan": asdict(plan)}
    path = options.out.with_suffix(".jsonl")
    with Journal(path, identity) as journal:
        timer = JournaledTimer(
            OnnxRuntime(device), model_of(device, "fp32"), anchor, journal, plan.sessions, plan.seed, _tell
        )
        rows = approaches(timer, space, plan)
    with replacing(options.out) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    path.unlink()
    print(f"\n{device.id}, {space.name} at {options.resolution}, {rows[0]['n_validation']} held-out subnets")
    print(f"{'timed':16} {'speed':7} {'whole subnets':15} " + " ".join(f"{name:>13}" for name in SHOWN))
    for row in rows:
        numbers = " ".join(f"{row[name]:13.3f}" for name in SHOWN)
        print(f"{row['timed']:16} {row['speed']:7} {row['whole subnets']:15} {numbers}")
    print(f"wrote {options.out}")


def approaches(timer: JournaledTimer, space: SearchSpace, plan: Plan) -> list[dict[str, float | str]]:
    """Errors of every combination, on the same subnets and against the same measurements beside the anchor."""
    subnets = choose_subnets(space, plan)
    cover, calibration, validation = (
        networks_by_name(space, rows) for rows in (subnets.cover, subnets.calibration, subnets.validation)
    )
    units = {unit.key: unit for layer in space.layers().values() for unit in operators(layer)}
    always = fixed_layers(space)
    fixed = always | {unit.key for key in always for unit in operators(space.layers()[key])}
    alike = len(calibration) + len(validation) + len(space.layers()) + len(units)
    timer.steps = len(cover) * COVER_SESSIONS + alike * plan.sessions
    truth = np.array([t.ratio for t in timer.measure(VALIDATION, validation).values()])
    by_clock = ByClock(timer, float(np.median([t.anchor_ms for t in timer.times.values()])))
    rows: list[dict[str, float | str]] = []
    timers: dict[str, Timer] = {"clock": by_clock, "anchor": timer}
    for speed, clock in timers.items():
        ratios = {name: t.ratio for name, t in clock.measure(CALIBRATION, calibration).items()}
        inside = in_context(clock, cover)
        if inside is None:
            raise SystemExit("the runtime's profile does not show the layers")
        for timed, times, split, parts in (
            ("operators alone", timed_alone(clock, OPERATORS, list(units.values())), True, units),
            ("layers alone", timed_alone(clock, ISOLATED, list(space.layers().values())), False, space.layers()),
            ("inside networks", inside, False, space.layers()),
        ):
            known, held_out = _split(calibration, split=split), _split(validation, split=split)
            for fit, found in (
                ("not used", times),
                ("one scale", scaled(times, known, ratios)),
                ("adjust layers", calibrate(times, known, ratios, parts, fixed)),
            ):
                rows.append(
                    {
                        "timed": timed,
                        "speed": speed,
                        "whole subnets": fit,
                        **fidelity(sums(found, held_out.values()), truth),
                    }
                )
    return rows


def operators(layer: LayerSpec) -> list[LayerSpec]:
    """A layer's operators, each as a layer; an activation belongs to its convolution, and a squeeze-excite is one operator."""
    groups: list[list[int]] = []
    gate = False
    for number, op in enumerate(layer.ops, start=1):
        follows = isinstance(op, Activation) and op.inputs == (number - 1,)
        if groups and (gate or follows):
            groups[-1].append(number)
        else:
            groups.append([number])
            gate = isinstance(op, GlobalPool) and any(isinstance(later, Mul) for later in layer.ops[number:])
        gate = gate and not isinstance(op, Mul)
    return [_unit([layer.ops[number - 1] for number in group], group) for group in groups]


def _unit(ops: list[Op], numbers: list[int]) -> LayerSpec:
    """Ops as a layer, whose input is whatever they read from outside."""
    own = {number: i for i, number in enumerate(numbers, start=1)}
    moved = tuple(
        replace(op, name=f"op{i}", inputs=tuple(own.get(value, 0) for value in op.inputs)) for i, op in enumerate(ops)
    )
    return LayerSpec(repr(moved), ops[0].in_shape, moved)


def _split(networks: Networks, *, split: bool) -> Networks:
    """The networks unchanged, or with ``split`` as lists of operators."""
    if not split:
        return networks
    return {
        name: [(slot, unit) for slot, layer in network for unit in operators(layer)]
        for name, network in networks.items()
    }


def _tell(done: int, steps: int, stage: str) -> None:
    if done % 40 < TOGETHER:
        print(f"{done} of {steps} timings; {stage}", flush=True)


if __name__ == "__main__":
    main()
