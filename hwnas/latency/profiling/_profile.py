"""Profiling a space on a device: a latency table from layers timed inside whole networks.

Layers timed alone run on a warm cache and look too fast, operators timed alone pay layout reorders and
look too slow. So a small set of whole subnets in which every layer occurs is run with the runtime's
profiler, and each node's time goes to its layer. Whole subnets of all sizes correct what a layer adds.
Others, that took no part, are measured last, and the error against them is stored with the table.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hwnas import __version__
from hwnas.errors import DeviceError, TableError
from hwnas.graph import PRECISIONS, Model
from hwnas.io import Journal
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._calibrate import calibrated
from hwnas.latency.profiling._journaled import TIMING, JournaledTimer, Timer, model_of
from hwnas.latency.profiling._methods import (
    ALONE_SESSIONS,
    CALIBRATION,
    COVER_SESSIONS,
    IN_CONTEXT,
    VALIDATION,
    LayerTime,
    in_context,
    isolated,
    named,
    row_name,
)
from hwnas.latency.profiling._otherwise import PlainTimer, by_plain_process, checked_otherwise
from hwnas.latency.profiling._subnets import Plan, Subnets, choose_subnets
from hwnas.latency.profiling._whole import middle
from hwnas.latency.table._adapt import fixed_layers
from hwnas.latency.table._device_file import DEVICE
from hwnas.latency.table._fidelity import fidelity
from hwnas.latency.table._find import earlier_folder
from hwnas.latency.table._interval import interval
from hwnas.latency.table._rows import Row
from hwnas.latency.table._runs import runs_of
from hwnas.latency.table._table import LatencyTable
from hwnas.latency.timing._alone import alone
from hwnas.latency.timing._measure import Progress
from hwnas.latency.timing._noise import repeat_pct
from hwnas.latency.timing._runtime import OnnxRuntime, Runtime
from hwnas.progress import notice, resumable
from hwnas.space import Network, Population, SearchSpace


@alone(notice)
def profile(
    device: Device,
    space: SearchSpace,
    folder: str | os.PathLike[str],
    *,
    precision: str = "fp32",
    plan: Plan | None = None,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
    plain: PlainTimer | None = None,
) -> LatencyTable:
    """Measure every layer of ``space``'s domain; add the rows to the table in ``folder``, or begin one there.

    What was measured is kept in a journal in the folder as it comes: after an interruption the same call resumes. Waits
    while another process times networks on this machine.

    Args:
        device: where.
        space: its domain is what is profiled; restrict ``r`` to the resolutions of interest.
        folder: of the table: ``latency_tables/<device id>``. Rows of other precisions that are there stay.
        precision: what the networks compute in.
        plan: how much is measured.
        progress: called as subnets are done.
        runtime: what runs them; onnxruntime by default.
        plain: times exported files for the second check; a plain process by default, unless ``runtime`` is given. There
            is none for a device with a memory of its own, where copies would be timed too.

    Raises:
        DeviceError: the device cannot run the networks, does not compute in the precision, or does not tell node times for ``in-context``.
        TableError: the folder holds a table made under other conditions.
        DataError: the folder cannot be written.
    """
    plan, folder = plan or Plan(), Path(folder)
    if plan.method is None and not device.node_times:
        plan = replace(plan, method="isolated")
    modelled = model_of(device, precision)
    before = existing(folder, device, precision)
    reference = AnchorRow.of(space, before, plan)
    identity = {
        "hwnas": __version__,
        "device": device.to_json(),
        "precision": precision,
        "space": [space.name, space.fingerprint, *(d.tolist() for d in space.domain)],
        "anchor": reference.row.tolist(),
        "plan": asdict(plan),
        "timing": TIMING,
    }
    # A change of plan begins another journal.
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
    path = folder / f"profile-{space.name}-{digest}.jsonl"
    subnets = choose_subnets(space, plan, _with_covered(space, before))
    with Journal(path, identity) as journal:
        network = space.network(reference.row)
        plain = plain or (by_plain_process if runtime is None else None)
        runtime = runtime or OnnxRuntime(device)
        timer = JournaledTimer(runtime, modelled, network, journal, plan.sessions, plan.seed, progress)

        def told() -> dict[str, Any]:
            seconds = {"seconds": round(timer.seconds, 1)}
            elsewhere = runtime.elsewhere(modelled(network))
            return {**seconds, "elsewhere": elsewhere} if elsewhere else seconds

        with resumable(lambda: f"{len(journal.entries)} of {timer.steps} timings are kept in {path}"):
            table = tabulated(timer, device, space, plan, subnets, before, reference, told)
            if plain is not None and device.memory[0] == "cpu":
                facts = _checked_otherwise(table, space, device, modelled, journal, plan.seed, plain)
                table = table.joined(LatencyTable.of(device, [], {runs_of(space): facts}, precision))
    # Another process may have added to the folder meanwhile.
    saved = existing(folder, device, precision).joined(table).save(folder)
    path.unlink(missing_ok=True)
    return saved


def tabulated(
    timer: Timer,
    device: Device,
    space: SearchSpace,
    plan: Plan,
    subnets: Subnets,
    before: LatencyTable,
    reference: AnchorRow,
    told: Callable[[], Mapping[str, Any]],
) -> LatencyTable:
    """``before`` with the rows of ``space``'s domain in its precision, checked against whole subnets.

    Args:
        timer: tells the times.
        device: what they are of.
        space: its domain is what is profiled.
        plan: how much is measured.
        subnets: what is measured.
        before: the table to add to.
        reference: the network the times are multiples of.
        told: called at the end for further facts of the space, for ``device.json``.

    Raises:
        DeviceError, DataError: as the timer; or the times of single layers are not told.
    """
    method, times = _layer_times(timer, space, plan, subnets)
    checked = _with_covered(space, before)
    measured = timer.measure(VALIDATION, named(checked, subnets.validation))
    anchors = [t.anchor_ms for t in timer.times.values()]
    anchor_ms = reference.median_ms or float(np.median(anchors))
    rows = _rows(space, times, anchor_ms)
    table = before.joined(LatencyTable.of(device, rows, precision=before.precision))
    actual = np.array([measured[row_name(row)].ratio for row in subnets.validation]) * anchor_ms
    predicted = table.cost(checked)(subnets.validation)
    described = {
        "fingerprint": space.fingerprint,
        "resolutions": _resolutions(table, space),
        "method": method,
        "networks": len({name for stage, name, _ in timer.times if stage in (IN_CONTEXT, CALIBRATION)}),
        "sessions": plan.sessions,
        "anchor": {
            "arch": space.decode(reference.row),
            "median_ms": anchor_ms,
            "spread_pct": float(100 * (np.quantile(anchors, 0.9) / np.quantile(anchors, 0.1) - 1)),
        },
        "repeat_pct": repeat_pct({which: t.ratio for which, t in timer.times.items()}),
        "waited_pct": 100 * float(np.mean([t.waited for t in timer.times.values()])),
        "validation": fidelity(predicted, actual),
        "interval": interval(predicted, actual),
        **told(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "runtime": device.runtime,
        "hwnas": __version__,
    }
    return table.joined(LatencyTable.of(device, [], {runs_of(space): described}, before.precision))


def _checked_otherwise(
    table: LatencyTable,
    space: SearchSpace,
    device: Device,
    modelled: Callable[[Network], Model],
    journal: Journal,
    seed: int,
    plain: PlainTimer,
) -> dict[str, Any]:
    """The facts of the space with ``validation_plain``: predictions against a plain process."""
    anchor = table.anchor(space)
    facts = dict(table.about(space))
    if anchor is None or anchor.median_ms is None:
        return facts
    cost = table.cost(_with_covered(space, table))
    predicted, measured, speed_pct = checked_otherwise(
        device, cost, anchor.network, anchor.median_ms, modelled, journal, seed=seed, timer=plain
    )
    return {**facts, "validation_plain": {**fidelity(predicted, measured), "speed_pct": round(speed_pct, 1)}}


def _rows(space: SearchSpace, times: Mapping[str, LayerTime], anchor_ms: float) -> list[Row]:
    """Rows of the domain's layers, in ms at the anchor's reference speed."""
    return [
        Row.of(layer, t.median * anchor_ms, t.p10 * anchor_ms, t.p90 * anchor_ms, t.runs)
        for key, layer in space.layers().items()
        for t in (times[key],)
    ]


@dataclass(frozen=True)
class AnchorRow:
    """The anchor's row, and its time if other rows of the table are relative to it."""

    row: Population
    median_ms: float | None = None

    @classmethod
    def of(cls, space: SearchSpace, before: LatencyTable, plan: Plan) -> AnchorRow:
        """The existing anchor, where rows of the space stay that were measured with it; else a subnet of median MACs."""
        facts = before.spaces.get(runs_of(space))
        if facts is not None:
            anchor = before.anchor(space)
            whole = space.whole if runs_of(space.whole) == runs_of(space) else space
            stays = {key for key, layer in whole.layers().items() if before.timed(layer)} - set(space.layers())
            if anchor is not None and stays:
                return cls(whole.encode(facts["anchor"]["arch"]), anchor.median_ms)
        pool = space.sample(101, np.random.default_rng(plan.seed), distinct_uniform=False)
        return cls(middle(space, pool))


def existing(folder: Path, device: Device, precision: str) -> LatencyTable:
    """The table to add rows of a precision to; an empty one where there is none.

    What earlier versions kept in a folder per precision beside it is taken over; that folder stays as it is.

    Raises:
        TableError: made under other conditions than the device's.
    """
    found = LatencyTable(device, {})
    if (folder / DEVICE).is_file():
        found = replace(LatencyTable.load(folder).joined(found), device=device)
    for each in PRECISIONS:
        earlier = earlier_folder(folder, each)
        if each not in found.precisions and (earlier / DEVICE).is_file():
            with suppress(TableError):  # of another machine
                found = found.joined(LatencyTable.load(earlier, each))
    return found.at(precision)


def _layer_times(timer: Timer, space: SearchSpace, plan: Plan, subnets: Subnets) -> tuple[str, dict[str, LayerTime]]:
    """The method that was used and the times of all layers, as multiples of the anchor's."""
    calibration, cover = named(space, subnets.calibration), named(space, subnets.cover)
    layers, fixed = space.layers(), fixed_layers(space)
    if plan.method != "isolated":
        timer.steps = len(cover) * COVER_SESSIONS + (len(calibration) + len(subnets.validation)) * plan.sessions
        times = in_context(timer, cover)
        if times is not None:
            # Not by the covering subnets, whose times were taken beside profiled sessions, and to which their layers
            # add up already.
            ratios = {name: t.ratio for name, t in timer.measure(CALIBRATION, calibration).items()}
            return "in-context", calibrated(times, calibration, ratios, layers, fixed)
        if plan.method is not None:
            rule = "its profile does not tell the times of single layers"
            raise DeviceError("method in-context", rule, "profile with the method isolated")
        calibration |= cover
    todo = len(layers) * ALONE_SESSIONS + (len(calibration) + len(subnets.validation)) * plan.sessions
    timer.steps = len(timer.times) + todo
    ratios = {name: t.ratio for name, t in timer.measure(CALIBRATION, calibration).items()}
    times = isolated(timer, space, calibration, ratios)
    return "isolated", calibrated(times, calibration, ratios, layers, fixed)


def _with_covered(space: SearchSpace, before: LatencyTable) -> SearchSpace:
    """The space with the resolutions that the table covers already: the validation is of the whole table."""
    whole, columns = space.whole, space.input_genes
    if len(columns) != 1 or space.name not in before.spaces:
        return space
    (column,) = columns
    if any(len(d) < len(w) for c, (d, w) in enumerate(zip(space.domain, whole.domain, strict=True)) if c != column):
        return space
    with suppress(TableError):
        indices = {*before.covered(whole).domain[column].tolist(), *space.domain[column].tolist()}
        values = [space.genes[column].choices[i] for i in sorted(indices)]
        return whole.restrict(**{space.genes[column].name: values})
    return space


def _resolutions(table: LatencyTable, space: SearchSpace) -> list[int | float | str]:
    """Resolutions of the whole space that the table covers, or else those of the domain; none for a space without."""
    with suppress(TableError):  # the domain may be restricted in more than the resolution
        space = table.covered(space.whole)
    return [value for values in space.input_values.values() for value in values]
