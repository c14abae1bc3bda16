"""Profiling a space on a device: a latency table from layers timed inside whole networks.

Layers timed alone run on a warm cache and look too fast. Operators timed alone pay for layout reorders and look too slow. So
a few whole subnets that contain every layer run with the runtime's profiler, which gives the time of each node, and thus of
its layer. Whole subnets of all sizes then correct the layer times. The table is validated on further subnets, which are
measured last, and its error on them is stored with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hwnas import __version__
from hwnas.graph import Model
from hwnas.io import Journal
from hwnas.latency.device._device import Device
from hwnas.latency.profiling._make_table import AnchorRow, existing_table, make_table, with_covered
from hwnas.latency.profiling._plain_check import PlainTimer, check_by_plain_process, plain_process_times
from hwnas.latency.profiling._subnets import Plan, choose_subnets
from hwnas.latency.profiling._timer import TIMING, JournaledTimer, model_of
from hwnas.latency.table._fidelity import fidelity
from hwnas.latency.table._table import LatencyTable
from hwnas.latency.timing._alone import alone
from hwnas.latency.timing._measure import Progress
from hwnas.latency.timing._runtime import OnnxRuntime, Runtime
from hwnas.progress import notice, resumable
from hwnas.space import Network, SearchSpace


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
    """Measure every layer of ``space``'s domain, and add the rows to the table in ``folder``, or start one there.

    A journal in the folder keeps the measurements: after an interruption the same call resumes. Waits while another process
    times networks on this machine.

    Args:
        device: the device to measure on.
        space: its domain is profiled; restrict ``r`` to the resolutions of interest.
        folder: of the table: ``latency_tables/<device id>``. Existing rows of other precisions stay.
        precision: of the networks.
        plan: how much is measured.
        progress: called as subnets are done.
        runtime: runs the networks; onnxruntime by default.
        plain: times exported files for the second check; by default a plain process, but no check if ``runtime`` is given.
            A device with its own memory gets no second check, since copies would be timed too.

    Raises:
        DeviceError: the device cannot run the networks, does not compute in the precision, or does not report node times for
            ``in-context``.
        TableError: the folder holds a table made under other conditions.
        DataError: the folder cannot be written.
    """
    plan, folder = plan or Plan(), Path(folder)
    if plan.method is None and not device.known_provider.node_times:
        plan = replace(plan, method="isolated")
    modelled = model_of(device, precision)
    before = existing_table(folder, device, precision)
    anchor = AnchorRow.of(space, before, plan)
    subnets = choose_subnets(space, plan, with_covered(space, before))
    with _journal(folder, before, space, plan, anchor) as journal:
        network = space.network(anchor.row)
        plain = plain or (plain_process_times if runtime is None else None)
        runtime = runtime or OnnxRuntime(device)
        timer = JournaledTimer(runtime, modelled, network, journal, plan.sessions, plan.seed, progress)

        def run_facts() -> dict[str, Any]:
            seconds = {"seconds": round(timer.seconds, 1)}
            elsewhere = runtime.elsewhere(modelled(network))
            return {**seconds, "elsewhere": elsewhere} if elsewhere else seconds

        with resumable(lambda: f"{len(journal.entries)} of {timer.steps} timings are kept in {journal.path}"):
            table = make_table(timer, space, plan, subnets, before, anchor, run_facts)
            if plain is not None and device.memory[0] == "cpu":
                table = _with_plain_check(table, space, modelled, journal, plan.seed, plain)
    # Another process may have added rows to the folder in the meantime.
    saved = existing_table(folder, device, precision).joined(table).save(folder)
    journal.path.unlink(missing_ok=True)
    return saved


def _journal(folder: Path, before: LatencyTable, space: SearchSpace, plan: Plan, anchor: AnchorRow) -> Journal:
    """The journal of a profile that adds to a table; another plan gets another file."""
    identity = {
        "hwnas": __version__,
        "device": before.device.to_json(),
        "precision": before.precision,
        "space": [space.name, space.fingerprint, *(d.tolist() for d in space.domain)],
        "anchor": anchor.row.tolist(),
        "plan": asdict(plan),
        "timing": TIMING,
    }
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
    return Journal(folder / f"profile-{space.name}-{digest}.jsonl", identity)


def _with_plain_check(
    table: LatencyTable,
    space: SearchSpace,
    modelled: Callable[[Network], Model],
    journal: Journal,
    seed: int,
    plain: PlainTimer,
) -> LatencyTable:
    """The table with the errors of its predictions against a plain process, as the space's ``validation_plain``."""
    anchor = table.anchor(space)
    if anchor is None or anchor.median_ms is None:
        return table
    cost = table.cost(with_covered(space, table))
    predicted, measured, speed_pct = check_by_plain_process(
        table.device, cost, anchor, modelled, journal, seed=seed, timer=plain
    )
    errors = {**fidelity(predicted, measured), "speed_pct": round(speed_pct, 1)}
    return table.with_facts(space, {**table.about(space), "validation_plain": errors})
