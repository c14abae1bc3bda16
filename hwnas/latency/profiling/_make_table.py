"""Making a latency table from the times of networks, measured here or on a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hwnas import __version__
from hwnas.errors import DeviceError, TableError
from hwnas.graph import PRECISIONS
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._calibrate import calibrate
from hwnas.latency.profiling._methods import (
    ALONE_SESSIONS,
    CALIBRATION,
    COVER_SESSIONS,
    IN_CONTEXT,
    VALIDATION,
    LayerTime,
    in_context,
    networks_by_name,
    row_name,
    scaled_alone,
)
from hwnas.latency.profiling._sizes import usual_anchor
from hwnas.latency.profiling._subnets import Plan, Subnets
from hwnas.latency.profiling._timer import Timer
from hwnas.latency.table._adapt import fixed_layers
from hwnas.latency.table._device_file import DEVICE
from hwnas.latency.table._fidelity import fidelity
from hwnas.latency.table._find import earlier_folder
from hwnas.latency.table._interval import interval
from hwnas.latency.table._rows import Row
from hwnas.latency.table._runs import runs_of
from hwnas.latency.table._table import LatencyTable
from hwnas.latency.timing._noise import repeat_pct
from hwnas.space import Population, SearchSpace


def make_table(
    timer: Timer,
    space: SearchSpace,
    plan: Plan,
    subnets: Subnets,
    before: LatencyTable,
    anchor: AnchorRow,
    run_facts: Callable[[], Mapping[str, Any]],
) -> LatencyTable:
    """``before`` with the rows of ``space``'s domain in its precision, validated on whole subnets.

    Args:
        timer: measures the times, or replays them.
        space: its domain is profiled.
        plan: how much is measured.
        subnets: the subnets that are measured.
        before: the table to add to, of the same device.
        anchor: all times are multiples of its time.
        run_facts: called at the end for facts of this run that go into ``device.json``.

    Raises:
        DeviceError, DataError: raised by the timer; or the runtime does not report the times of single layers.
    """
    method, times = _layer_times(timer, space, plan, subnets)
    checked = with_covered(space, before)
    measured = timer.measure(VALIDATION, networks_by_name(checked, subnets.validation))
    anchors = [t.anchor_ms for t in timer.times.values()]
    anchor_ms = anchor.median_ms or float(np.median(anchors))
    rows = []
    for key, layer in space.layers().items():
        ms = times[key].scaled(anchor_ms)
        rows.append(Row.of(layer, ms.median, ms.p10, ms.p90, ms.runs))
    table = before.joined(LatencyTable.of(before.device, rows, precision=before.precision))
    actual = np.array([measured[row_name(row)].ratio for row in subnets.validation]) * anchor_ms
    predicted = table.cost(checked)(subnets.validation)
    described = {
        "fingerprint": space.fingerprint,
        "resolutions": _resolutions(table, space),
        "method": method,
        "networks": len({name for stage, name, _ in timer.times if stage in (IN_CONTEXT, CALIBRATION)}),
        "sessions": plan.sessions,
        "anchor": {
            "arch": space.decode(anchor.row),
            "median_ms": anchor_ms,
            "spread_pct": float(100 * (np.quantile(anchors, 0.9) / np.quantile(anchors, 0.1) - 1)),
        },
        "repeat_pct": repeat_pct({which: t.ratio for which, t in timer.times.items()}),
        "waited_pct": 100 * float(np.mean([t.waited for t in timer.times.values()])),
        "validation": fidelity(predicted, actual),
        "interval": interval(predicted, actual),
        **run_facts(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "runtime": before.device.runtime,
        "hwnas": __version__,
    }
    return table.with_facts(space, described)


@dataclass(frozen=True)
class AnchorRow:
    """The anchor's row, and its time in ms if the table has rows that are relative to it."""

    row: Population
    median_ms: float | None = None

    @classmethod
    def of(cls, space: SearchSpace, before: LatencyTable, plan: Plan) -> AnchorRow:
        """The table's anchor of the space, if rows measured with it stay in the table; else a subnet of median MACs."""
        facts = before.spaces.get(runs_of(space))
        if facts is not None:
            anchor = before.anchor(space)
            whole = space.whole if runs_of(space.whole) == runs_of(space) else space
            stays = {key for key, layer in whole.layers().items() if before.timed(layer)} - set(space.layers())
            if anchor is not None and stays:
                return cls(whole.encode(facts["anchor"]["arch"]), anchor.median_ms)
        return cls(usual_anchor(space, plan.seed))


def existing_table(folder: Path, device: Device, precision: str) -> LatencyTable:
    """The table in ``folder`` with answers of a precision, to which rows are added; an empty one if there is none.

    Earlier versions kept one folder per precision beside it: their rows are copied, and the folders stay as they are.

    Raises:
        TableError: the table was made under other conditions than the device's.
    """
    found = LatencyTable(device, {})
    if (folder / DEVICE).is_file():
        found = replace(LatencyTable.load(folder).joined(found), device=device)
    for each in PRECISIONS:
        earlier = earlier_folder(folder, each)
        if each not in found.precisions and (earlier / DEVICE).is_file():
            with suppress(TableError):  # made on another machine
                found = found.joined(LatencyTable.load(earlier, each))
    return found.at(precision)


def _layer_times(timer: Timer, space: SearchSpace, plan: Plan, subnets: Subnets) -> tuple[str, dict[str, LayerTime]]:
    """The method used, and the times of all layers as multiples of the anchor's."""
    calibration, cover = networks_by_name(space, subnets.calibration), networks_by_name(space, subnets.cover)
    layers, fixed = space.layers(), fixed_layers(space)
    if plan.method != "isolated":
        timer.steps = len(cover) * COVER_SESSIONS + (len(calibration) + len(subnets.validation)) * plan.sessions
        times = in_context(timer, cover)
        if times is not None:
            # The covering subnets cannot calibrate: their layers add up to their times already, which were also taken beside
            # profiled sessions.
            ratios = {name: t.ratio for name, t in timer.measure(CALIBRATION, calibration).items()}
            return "in-context", calibrate(times, calibration, ratios, layers, fixed)
        if plan.method is not None:
            rule = "its profile does not show the times of single layers"
            raise DeviceError("method in-context", rule, "profile with the method isolated")
        calibration |= cover
    todo = len(layers) * ALONE_SESSIONS + (len(calibration) + len(subnets.validation)) * plan.sessions
    timer.steps = len(timer.times) + todo
    ratios = {name: t.ratio for name, t in timer.measure(CALIBRATION, calibration).items()}
    times = scaled_alone(timer, space, calibration, ratios)
    return "isolated", calibrate(times, calibration, ratios, layers, fixed)


def with_covered(space: SearchSpace, before: LatencyTable) -> SearchSpace:
    """The space extended by the resolutions that the table covers already, so that the whole table is validated."""
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
    """Resolutions of the whole space that the table covers, or those of the domain; empty for a space without resolutions."""
    with suppress(TableError):  # the domain may restrict other genes than the resolution
        space = table.covered(space.whole)
    return [value for values in space.input_values.values() for value in values]
