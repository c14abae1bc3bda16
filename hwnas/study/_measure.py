"""Fronts measured: their subnets run on a device of this machine."""

# ruff: noqa: PLC0415 (what is heavy is imported when it is needed)

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError, NotHeldError
from hwnas.metric import LATENCY
from hwnas.progress import notice
from hwnas.study._front import Front
from hwnas.study._place import Place, find_place, say_foreign

if TYPE_CHECKING:
    from hwnas.latency import MeasuredSubnets

FEW, MANY = 40, 100
"""Subnets that take a minute or two, and the number from which on the user is told how to take fewer."""


@dataclass(frozen=True)
class Measured:
    """What measuring a front gave.

    Attributes:
        front: the same rows, measurements beside the predictions.
        at: positions of the rows that were measured.
        found: one measurement per position.
        place: where.
        budget_ms: what they were held against; None for no budget.
        journal: keeps what was measured, until the front is saved.
    """

    front: Front
    at: list[int]
    found: MeasuredSubnets
    place: Place
    budget_ms: float | None
    journal: Path


def measured(
    front: Front,
    *,
    rows: Sequence[int] | None = None,
    most: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    batch: int | None = None,
    precision: str | None = None,
    budget: str | float | None = None,
    seed: int = 0,
    journal: Path | None = None,
) -> Measured:
    """Measure subnets of a front on the device, as whole networks.

    Args:
        front: its space must be known.
        rows: numbers of rows; all by default.
        most: at most so many, evenly thinned.
        device, threads, batch, precision: by default those that were searched for.
        budget: latency, ``"6ms"`` or in ms; by default the search's.
        seed: of the order of runs.
        journal: keeps what was measured, so that a killed run resumes; by default a temporary file.

    Raises:
        DataError: unknown rows, or an unknown space. UnknownNameError, DeviceError: not a device of this machine.
    """
    from hwnas.io import read_archs
    from hwnas.report import thinned, with_measured

    if front.space is None:
        raise DataError("the front", "its space is not known here", "load it with its space: Front.load(path, space)")
    numbers = front.frame["row"].tolist()
    for row in rows or ():
        front.arch(row)
    at = [i for i, number in enumerate(numbers) if rows is None or number in rows]
    at = [at[i] for i in thinned(len(at), most or len(at))]
    budget_ms = front.provenance.budgets.get(LATENCY.column)
    if budget is not None:
        budget_ms = LATENCY.parse(budget, "budget") if isinstance(budget, str) else float(budget)
    x = read_archs(front.frame.iloc[at].reset_index(drop=True), front.space)
    place = find_place(front.space, front.facts, device, threads=threads, batch=batch, precision=precision)
    say_foreign(place, front.facts)
    fewer = f"; --most {FEW} takes {FEW} of them, evenly thinned" if len(at) > MANY else ""
    of = f" of {front.path}" if front.path is not None else ""
    notice(f"measuring {len(at)} subnets{of} on {place.label}; Ctrl-C and the same command resume{fewer}")
    with tempfile.TemporaryDirectory(prefix="hwnas-") as scratch:
        path = journal or Path(scratch) / "measured.jsonl"
        found = place.measure(front.space, x, path, seed=seed)
    told = front.provenance
    bounds = dict(told.budgets) | ({LATENCY.column: budget_ms} if budget_ms is not None else {})
    told = replace(told, budgets=bounds, measured=_facts(place, found))
    frame = with_measured(front.frame, at, found.measurements, budget_ms)
    kept = (journal,) if journal is not None else ()
    return Measured(replace(front, frame=frame, provenance=told, journals=kept), at, found, place, budget_ms, path)


def measure(front: Front, **options: Any) -> Front:
    """The front with ``latency_measured_ms`` and ``latency_p95_ms`` beside what was predicted; arguments as ``measured``."""
    return measured(front, **options).front


def verify(front: Front, **options: Any) -> Front:
    """The rows of a front that were measured and hold its latency budget; arguments as ``measured``.

    Raises:
        DataError: there is no budget. NotHeldError: none holds it.
    """
    found = measured(front, **options)
    if found.budget_ms is None:
        raise DataError("verify", "there is no latency budget to hold", 'pass budget="6ms"')
    at = [i for i, m in zip(found.at, found.found.measurements, strict=True) if m.median_ms <= found.budget_ms]
    if not at:
        value = f"no subnet that was measured holds {found.budget_ms:g} ms"
        raise NotHeldError(value, "nothing is left of the front", "search under a smaller budget, or allow more")
    return replace(found.front, frame=found.front.frame.iloc[at].reset_index(drop=True))


def _facts(place: Place, found: MeasuredSubnets) -> dict[str, Any]:
    return {
        "device": place.device.id,
        "precision": place.precision,
        "conditions": place.device.to_json(),
        "table": place.table.name if place.table is not None else None,
        "subnets": len(found.measurements),
        "runs_each": min(m.runs for m in found.measurements),
        "speed": {name: pct and round(pct, 1) for name, pct in vars(found.speed).items()},
        "repeat_pct": found.load.repeat_pct,
        "waited_pct": round(found.load.waited_pct, 1),
        "elsewhere": dict(found.elsewhere),
    }
