"""Tables of the results of a task, over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.own_networks._latency import network_name
from benchmarks.own_networks._paired import difference
from benchmarks.own_networks._run import Run
from benchmarks.own_networks._searchers import CHECKPOINTS, METHODS

LOSS = 1.0
"""Points of accuracy that a fast network may lose, on the samples that searches see."""


def runs_of(run: Run) -> list[Run]:
    """The runs of the same title, for all seeds."""
    found = Path(run.root).glob(f"{run.title}-s*/results.jsonl")
    return [replace(run, seed=int(file.parent.name.rpartition("-s")[2])) for file in sorted(found)]


def networks(run: Run) -> pd.DataFrame:
    """A row per network: kind, name, MACs (M), speeds as multiples of the original's, accuracies in %."""
    ratios = {entry["network"]: entry["ratio"] for entry in run.entries(cost="latency")}
    filled = {entry["network"]: entry.get("filled_ratio", np.nan) for entry in run.entries(cost="latency")}
    rows = [
        {
            "seed": run.seed,
            "kind": entry["kind"],
            "network": entry["name"] if entry["kind"] == "pruned" else entry["shown"],
            "mmacs": entry["macs"] / 1e6,
            "speed": 1 / ratios.get(network_name(entry), np.nan),
            "filled": 1 / filled.get(network_name(entry), np.nan),
            "validation": entry["data"],
            "test": entry["test"],
        }
        for entry in run.entries()
        if "kind" in entry
    ]
    return pd.DataFrame(rows)


def report(run: Run) -> str:
    """All tables, in Markdown."""
    runs = runs_of(run)
    frames = [networks(each) for each in runs]
    lines: list[str] = []
    for each, frame in zip(runs, frames, strict=True):
        lines += ["", f"## {each.title}, seed {each.seed}", ""]
        lines += [*_listed(frame), "", *_paired(each), "", *_costs(each), "", *_searchers(each)]
    lines += ["", f"## {run.title}: median (lowest..highest) of all seeds", ""]
    return "\n".join([*lines, *_compared([frame for frame in frames if len(frame)])])


def _listed(frame: pd.DataFrame) -> Iterator[str]:
    if frame.empty:  # only searchers ran
        return
    yield "| networks | subnet | M MACs | speed | speed of filled inputs | validation, as expected of those searched | test |"
    yield "|---|---|---|---|---|---|---|"
    for row in _each(frame.sort_values(["kind", "speed"])):
        speeds = f"{row.speed:.2f} | {row.filled:.2f}"
        yield f"| {row.kind} | {row.network} | {row.mmacs:.1f} | {speeds} | {row.validation:.2f} | {row.test:.2f} |"


def _compared(frames: Sequence[pd.DataFrame]) -> Iterator[str]:
    """Gains of the searched fronts at equal speed and at equal accuracy: chosen by validation, reported on test."""
    largest: list[float] = []
    losses: list[float] = []
    speeds: list[float] = []
    for frame in frames:
        searched = frame[frame.kind == "searched"]
        whole = frame[frame.kind == "extremes"].nlargest(1, "mmacs")
        for plain in _each(frame[frame.kind == "plain"]):
            largest += [best.test - plain.test for best in _each(whole)]
            near = searched[searched.validation >= plain.validation - LOSS].nlargest(1, "speed")
            losses += [best.test - plain.test for best in _each(near)]
            speeds += [best.speed for best in _each(near)]
    yield f"largest subnet against plain fine-tuning: {_spread(largest)} points"
    yield (
        f"fastest searched subnet within {LOSS:g} point of it by validation: {_spread(speeds)} times faster, "
        f"{_spread(losses)} points"
    )
    for kind in ("whole layers", "whole layers and inputs", "random", "pruned", "alone", "cut shorter"):
        points: list[float] = []
        factors: list[float] = []
        beside: list[float] = []
        for frame in frames:
            searched = frame[frame.kind == "searched"]
            for other in _each(frame[frame.kind == kind]):
                as_fast = searched[searched.speed >= other.speed].nlargest(1, "validation")
                as_good = searched[searched.validation >= other.validation].nlargest(1, "speed")
                points += [best.test - other.test for best in _each(as_fast)]
                factors += [best.speed / other.speed for best in _each(as_good)]
                beside += [best.test - other.test for best in _each(as_good)]
        yield (
            f"searched against {kind}: at equal latency {_spread(points)} points, at equal accuracy {_spread(factors)} "
            f"times faster, by test {_spread(beside)} points beside it"
        )


def _each(frame: pd.DataFrame) -> Iterator[Any]:
    yield from frame.itertuples()


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{np.median(values):.2f} ({min(values):.2f}..{max(values):.2f}, n = {len(values)})"


def _costs(run: Run) -> Iterator[str]:
    for entry in run.entries():
        if entry.get("cost") in ("training", "part"):
            memory = f", peak {entry['peak_mb']:.0f} MB" if "peak_mb" in entry else ""
            yield (
                f"{entry['cost']} {entry['name']}: {entry['minutes']:.1f} min, {entry['processor_minutes']:.1f} min "
                f"of one core{memory}"
            )
    for clock in ("original_ms", "filled_original_ms"):
        if found := [entry[clock] for entry in run.entries(cost="latency") if clock in entry]:
            yield f"{clock}: {_spread(found)}"


def _paired(run: Run) -> Iterator[str]:
    found = run.entries(study="paired")
    if not found:
        return
    yield "| subnet | against plain fine-tuning, by test | samples won, lost | chance |"
    yield "|---|---|---|---|"
    for entry in found:
        points, error, chance = difference(entry["won"], entry["lost"], entry["samples"])
        counts = f"{entry['won']}, {entry['lost']}"
        yield f"| {entry['of']}: {entry['network']} | {points:+.2f} ± {error:.2f} | {counts} | {chance:.2f} |"


def _searchers(run: Run) -> Iterator[str]:
    found = run.entries(study="searchers by test")
    if not found:
        return
    yield (
        "| searcher | " + " | ".join(f"{k} evaluations" for k in CHECKPOINTS) + " | its measured front | too high by |"
    )
    yield "|---" * (3 + len(CHECKPOINTS)) + "|"
    last = str(CHECKPOINTS[-1])
    for method in METHODS:
        mine = [entry for entry in found if entry["method"] == method]
        cells = [_range([entry["shares"][name] for entry in mine], ".1f") for name in (*map(str, CHECKPOINTS), "told")]
        flattery = [[e["too_high"][name] for e in mine if "too_high" in e] for name in ("told", last)]
        high = ", expected ".join(_range(values, ".2f") for values in flattery)
        yield f"| {method} | {' | '.join(cells)} | measured {high} |"


def _range(values: list[float], digits: str) -> str:
    if not values:
        return "-"
    return f"{np.median(values):{digits}} ({min(values):{digits}}..{max(values):{digits}})"
