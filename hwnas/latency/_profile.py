"""Profiling a space on a device: a latency table from layers timed inside whole networks.

Layers timed alone run on a warm cache and look too fast, operators timed alone pay layout reorders and
look too slow. So a small set of whole subnets in which every layer occurs is run with the runtime's
profiler; each node's time goes to its layer, and the layers of a subnet are rescaled to add up to the
time of the same subnet without the profiler. Nothing is fitted. Whole subnets that took no part are
measured last, and the error against them is stored with the table.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hwnas import __version__
from hwnas.errors import DeviceError, TableError
from hwnas.journal import Journal
from hwnas.latency._cover import covering_set
from hwnas.latency._device import Device
from hwnas.latency._fidelity import fidelity
from hwnas.latency._journaled import JournaledTimer
from hwnas.latency._measure import Progress
from hwnas.latency._methods import VALIDATION, LayerTime, in_context, isolated, row_name
from hwnas.latency._rows import Row
from hwnas.latency._runtime import OnnxRuntime, Runtime
from hwnas.latency._table import DEVICE, LatencyTable
from hwnas.space import Population, SearchSpace, macs_cost

METHODS = ("in-context", "isolated")


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        times: subnets that each layer is seen in; two halve the effect of neighbours and of a session's memory layout.
        sessions: how often each subnet is loaded and timed anew.
        n_validation: whole subnets kept to check the sums, half drawn uniformly, half as upstream draws them.
        n_calibration: whole subnets that the scale of isolated layers is fitted to.
        method: one of ``METHODS``; None for in-context where the runtime tells the times of nodes.
        seed: of the choice of subnets and the order of runs.
    """

    times: int = 2
    sessions: int = 2
    n_validation: int = 48
    n_calibration: int = 10
    method: str | None = None
    seed: int = 0


def profile(
    device: Device,
    space: SearchSpace,
    folder: str | os.PathLike[str],
    *,
    plan: Plan | None = None,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
) -> LatencyTable:
    """Measure every layer of ``space``'s domain; add the rows to the table in ``folder``, or begin one there.

    What was measured is kept in a journal in the folder as it comes: after an interruption the same call resumes.

    Args:
        device: where.
        space: its domain is what is profiled; restrict ``r`` to the resolutions of interest.
        folder: of the table: ``latency_tables/<device id>``.
        plan: how much is measured.
        progress: called as subnets are done.
        runtime: what runs them; onnxruntime by default.

    Raises:
        DeviceError: the device cannot run the networks, or does not tell node times for ``in-context``.
        TableError: the folder holds a table made under other conditions.
        DataError: the folder cannot be written.
    """
    plan, folder, started = plan or Plan(), Path(folder), time.monotonic()
    before = _existing(folder, device)
    reference = _Reference.of(space, before, plan)
    identity = {
        "hwnas": __version__,
        "device": device.to_json(),
        "space": [space.name, space.fingerprint, *(d.tolist() for d in space.domain)],
        "anchor": reference.row.tolist(),
        "plan": asdict(plan),
    }
    # A change of plan begins another journal.
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
    path = folder / f"profile-{space.name}-{digest}.jsonl"
    cover, calibration, validation = _subnets(space, plan)
    network = space.network(reference.row)
    with Journal(path, identity) as journal:
        timer = JournaledTimer(runtime or OnnxRuntime(device), network, journal, plan.sessions, plan.seed, progress)
        try:
            method, times, facts = _layer_times(timer, space, plan, cover, calibration, len(validation))
            measured = timer.measure(VALIDATION, {row_name(row): space.network(row) for row in validation})
        except KeyboardInterrupt:
            done = f"{len(journal.entries)} of {timer.steps} timings are kept in {path}"
            raise KeyboardInterrupt(f"{done}; the same command resumes") from None
    anchors = [t.anchor_ms for t in timer.times.values()]
    anchor_ms = reference.median_ms or float(np.median(anchors))
    table = before.joined(LatencyTable(device, _rows(space, times, anchor_ms)))
    actual = np.array([measured[row_name(row)].ratio for row in validation]) * anchor_ms
    described = {
        "fingerprint": space.fingerprint,
        "resolutions": _resolutions(table, space),
        "method": method,
        **facts,
        "networks": len({name for stage, name, _ in timer.times if stage != VALIDATION}),
        "sessions": plan.sessions,
        "anchor": {
            "arch": space.decode(reference.row),
            "median_ms": anchor_ms,
            "spread_pct": float(100 * (np.quantile(anchors, 0.9) / np.quantile(anchors, 0.1) - 1)),
        },
        "validation": fidelity(table.cost(space)(validation), actual),
        "seconds": round(time.monotonic() - started, 1),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "hwnas": __version__,
    }
    saved = LatencyTable(device, table.rows, {**before.spaces, space.name: described}).save(folder)
    path.unlink(missing_ok=True)
    return saved


def _rows(space: SearchSpace, times: Mapping[str, LayerTime], anchor_ms: float) -> dict[tuple[str, str], Row]:
    """Rows of the domain's layers, in ms at the anchor's reference speed."""
    rows = {}
    for key, layer in space.layers().items():
        t = times[key]
        rows[key, ""] = Row(key, t.median * anchor_ms, t.p10 * anchor_ms, t.p90 * anchor_ms, t.runs, layer.macs)
    return rows


@dataclass(frozen=True)
class _Reference:
    """The anchor's row; its time if other rows of the table are bound to it."""

    row: Population
    median_ms: float | None = None

    @classmethod
    def of(cls, space: SearchSpace, before: LatencyTable, plan: Plan) -> _Reference:
        """The existing anchor, where rows of the space stay that were measured with it; else a subnet of median MACs."""
        facts = before.spaces.get(space.name)
        if facts is not None:
            anchor = before.anchor(space)
            whole = SearchSpace(space.name, space.genes, space.slots)
            stays = {key for key in whole.layers() if (key, "") in before.rows} - set(space.layers())
            if anchor is not None and stays:
                return cls(whole.encode(facts["anchor"]["arch"]), anchor.median_ms)
        pool = space.sample(101, np.random.default_rng(plan.seed), distinct_uniform=False)
        return cls(pool[np.argsort(macs_cost(space)(pool), kind="stable")[len(pool) // 2]])


def _existing(folder: Path, device: Device) -> LatencyTable:
    """The table to add to; an empty one where there is none."""
    empty = LatencyTable(device, {})
    return LatencyTable.load(folder).joined(empty) if (folder / DEVICE).is_file() else empty


def _subnets(space: SearchSpace, plan: Plan) -> tuple[Population, Population, Population]:
    """Disjoint sets of subnets: that cover all layers, for calibration, and for validation."""
    rng = np.random.default_rng([plan.seed, 1])
    cover = np.concatenate(
        [covering_set(part, rng, times=plan.times) for part in _by_resolution(space)], dtype=np.int16
    )
    cover = rng.permutation(
        np.unique(cover, axis=0)
    )  # Drift within the profile shall not look like an effect of the resolution.
    half = 2 * (plan.n_validation + plan.n_calibration)
    pool = np.concatenate([space.sample(half, rng), space.sample(half, rng, distinct_uniform=False)])
    known = {row_name(row) for row in cover}
    fresh = [np.unique(part, axis=0) for part in (pool[:half], pool[half:])]
    drawn = []
    for part in fresh:
        rows = [row for row in rng.permutation(part) if row_name(row) not in known]
        known.update(row_name(row) for row in rows)
        drawn.append(rows)
    mixed = [row for pair in zip(*drawn, strict=False) for row in pair] or [row for part in drawn for row in part]
    chosen = np.array(mixed or cover, dtype=np.int16).reshape(-1, space.n_genes)
    validation, calibration = chosen[: plan.n_validation], chosen[plan.n_validation :][: plan.n_calibration]
    return cover, calibration if len(calibration) else validation, validation


def _by_resolution(space: SearchSpace) -> Iterable[SearchSpace]:
    """The space at each resolution of its domain: covered one by one, which is faster and no worse."""
    columns = space.groups.get("r", [])
    if len(columns) != 1:
        return [space]
    return [space.restrict(r=space.genes[columns[0]].choices[i]) for i in space.domain[columns[0]].tolist()]


def _layer_times(
    timer: JournaledTimer, space: SearchSpace, plan: Plan, cover: Population, calibration: Population, n_validation: int
) -> tuple[str, dict[str, LayerTime], Mapping[str, Any]]:
    if plan.method != "isolated":
        timer.steps = (len(cover) + n_validation) * plan.sessions
        times = in_context(timer, space, cover)
        if times is not None:
            return "in-context", times, {"seen_in": plan.times}
        if plan.method is not None:
            rule = "its profile does not tell the times of single layers"
            raise DeviceError("method in-context", rule, "profile with the method isolated")
    timer.steps = len(timer.times) + (len(space.layers()) + len(calibration) + n_validation) * plan.sessions
    times, scale = isolated(timer, space, calibration)
    return "isolated", times, {"calibration": {"scale": scale, "n": len(calibration)}}


def _resolutions(table: LatencyTable, space: SearchSpace) -> list[int | float | str]:
    """Resolutions of the whole space that the table covers, or else those of the domain; none for a space without."""
    with suppress(TableError):  # the domain may be restricted in more than the resolution
        space = table.covered(SearchSpace(space.name, space.genes, space.slots))
    return [space.genes[c].choices[i] for c in space.groups.get("r", []) for i in space.domain[c].tolist()]
