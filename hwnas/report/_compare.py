"""Compare two or more fronts: hypervolume, coverage, the union front, attainment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.metric import (
    LATENCY,
    QUALITY,
    Direction,
    Metric,
    check_values,
    column_of,
    get_metric,
    metrics,
    registered,
    split_direction,
)
from hwnas.search import hypervolume, non_dominated

MARGIN = 0.01
"""Distance of the reference point beyond the worst values, as a share of their range, so that the ends of a front count."""

BUDGETS = 5


@dataclass(frozen=True)
class NamedFront:
    """A front to compare.

    Attributes:
        name: its name in tables.
        frame: from :func:`hwnas.report.read_pareto`.
        facts: its provenance; may be empty.
    """

    name: str
    frame: pd.DataFrame
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """The comparison of k fronts in m objectives.

    Attributes:
        names: names of the fronts.
        metrics: the objectives.
        values: ``(n, m)`` values of each front.
        reference: ``(m,)`` reference point of the hypervolumes, in the objectives' own directions.
        hypervolumes: ``(k,)`` hypervolumes of the fronts.
        union_hypervolume: hypervolume of all points together.
        dominated: ``(k, k)`` share of the points of front ``row`` that a point of front ``column`` dominates.
        contributed: ``(k,)`` points of each front on the union front; equal points count for every front.
        lost: ``(k,)`` share of the union's hypervolume that is lost without the front.
        union: number of distinct points on the union front.
        budgets: ``(b,)`` budgets on the second objective.
        attained: ``(k, b)`` best first objective within each budget; NaN if there is none.
        notes: notes from the provenances.
    """

    names: tuple[str, ...]
    metrics: tuple[Metric, ...]
    values: tuple[NDArray[np.float64], ...]
    reference: tuple[float, ...]
    hypervolumes: tuple[float, ...]
    union_hypervolume: float
    dominated: NDArray[np.float64]
    contributed: tuple[int, ...]
    lost: tuple[float, ...]
    union: int
    budgets: tuple[float, ...]
    attained: NDArray[np.float64]
    notes: tuple[str, ...]

    @property
    def objectives(self) -> tuple[str, ...]:
        """Columns of the objectives."""
        return tuple(metric.column for metric in self.metrics)

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON types, with fronts by name."""
        k = range(len(self.names))
        return {
            "objectives": list(self.objectives),
            "reference": dict(zip(self.objectives, self.reference, strict=True)),
            "union": {"points": self.union, "hypervolume": self.union_hypervolume},
            "fronts": {
                self.names[i]: {
                    "points": len(self.values[i]),
                    "hypervolume": self.hypervolumes[i],
                    "points_on_union": self.contributed[i],
                    "share_of_union_lost_without": self.lost[i],
                    "share_dominated_by": {self.names[j]: float(self.dominated[i, j]) for j in k if j != i},
                }
                for i in k
            },
            "attainment": [
                {
                    self.objectives[1]: budget,
                    **{n: _known(v) for n, v in zip(self.names, best, strict=True)},
                }
                for budget, best in zip(self.budgets, self.attained.T, strict=True)
            ],
            "notes": list(self.notes),
        }


def compare(
    fronts: Sequence[NamedFront], objectives: Sequence[str] | None = None, *, anyway: bool = False
) -> Comparison:
    """Compare fronts over the same objectives.

    Args:
        fronts: two or more fronts with distinct names.
        objectives: names or columns, ``f1:max`` for the user's own; by default those of the searches.
        anyway: accept fronts of different spaces or devices.

    Raises:
        DataError: the fronts differ in objectives, units, spaces or devices.
    """
    if len(fronts) < 2:
        raise DataError(f"{len(fronts)} front", "a comparison needs two or more", "name another CSV")
    if not anyway:
        _refuse_different(fronts)
    chosen = _objectives(fronts, objectives)
    names = [metric.column for metric in chosen]
    aims = [metric.maximise for metric in chosen]
    values = tuple(front.frame[list(names)].to_numpy(dtype=np.float64) for front in fronts)
    everything = np.concatenate(values)
    reference = _reference(everything, aims)
    total = hypervolume(everything, reference, aims)
    on_union = non_dominated(everything, aims)
    owners = np.repeat(np.arange(len(fronts)), [len(v) for v in values])
    without = [hypervolume(everything[owners != i], reference, aims) for i in range(len(fronts))]
    budgets = _budgets([v[:, 1] for v in values])
    return Comparison(
        names=tuple(front.name for front in fronts),
        metrics=chosen,
        values=values,
        reference=reference,
        hypervolumes=tuple(hypervolume(v, reference, aims) for v in values),
        union_hypervolume=total,
        dominated=np.array([[_share_dominated(a, b, aims) for b in values] for a in values]),
        contributed=tuple(int((on_union & (owners == i)).sum()) for i in range(len(fronts))),
        lost=tuple(1 - w / total for w in without),
        union=len(np.unique(everything[on_union], axis=0)),
        budgets=budgets,
        attained=np.array([[_attained(v, budget, aims) for budget in budgets] for v in values]),
        notes=tuple(_notes(fronts)),
    )


def _objectives(fronts: Sequence[NamedFront], wanted: Sequence[str] | None) -> tuple[Metric, ...]:
    given = [split_direction(text) for text in wanted] if wanted else [(name, None) for name in _searched(fronts)]
    said = {column_of(name): direction for name, direction in given}
    names = tuple(said)
    if len(names) < 2:
        raise DataError(f"objectives {', '.join(names)}", "a comparison needs two", "add one, for example macs")
    for front in fronts:
        for name in names:
            if name not in front.frame.columns:
                raise _lacking(front, name, fronts)
            numbers = pd.to_numeric(front.frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            if not np.isfinite(numbers).all():
                known = int(np.isfinite(numbers).sum())
                rule = f"only {known} of {len(numbers)} rows have a number there"
                raise DataError(f"{front.name}, column {name}", rule, "remove the others, or compare another column")
            known_metric = registered(name)
            if known_metric is not None:
                try:
                    check_values(known_metric, numbers, name)
                except DataError as error:
                    raise DataError(f"{front.name}, {error.value}", error.rule, error.remedy) from error
    return tuple(get_metric(name, said[name] or _searched_direction(name, fronts, names)) for name in names)


def _searched_direction(name: str, fronts: Sequence[NamedFront], names: Sequence[str]) -> Direction | None:
    """The direction of a column in the searches; None if it was not an objective.

    Raises:
        DataError: the searches differ.
    """
    known: dict[str, Direction] = {}
    for front in fronts:
        direction = (front.facts.get("directions") or {}).get(name)
        # Earlier versions wrote no directions: they minimised the user's own metrics.
        if direction is None and name in (front.facts.get("objectives") or ()) and not registered(name):
            direction = "min"
        if direction is not None:
            known[front.name] = direction
    if len(set(known.values())) > 1:
        said = ", ".join(f"{front} {direction}" for front, direction in known.items())
        remedy = f"say which is meant: --objectives {','.join(f'{n}:max' if n == name else n for n in names)}"
        raise DataError(f"objective {name} ({said})", "fronts of different directions do not compare", remedy)
    return next(iter(known.values()), None)


def _lacking(front: NamedFront, name: str, fronts: Sequence[NamedFront]) -> DataError:
    """The error for a missing column. If another column has the same name but another unit, the message says so."""
    stem = name.rpartition("_")[0]
    other = next((str(c) for c in front.frame.columns if stem and str(c).rpartition("_")[0] == stem), None)
    if other:
        return DataError(f"{front.name}, column {other}", f"the others have {name}", f"convert it and name it {name}")
    shared = [c for c in fronts[0].frame.columns if c not in ("row", "arch") and all(c in f.frame for f in fronts)]
    return DataError(front.name, f"it has no column {name}", _compare_only(shared))


def _compare_only(columns: Sequence[str]) -> str:
    """The remedy for fronts that only share some columns."""
    shared = f"compare what all have: --objectives {','.join(columns)}"
    return shared if len(columns) > 1 else "compare other fronts"


def _searched(fronts: Sequence[NamedFront]) -> tuple[str, ...]:
    """The objectives of the searches; without provenances, the first quality and the first cost that all fronts have."""
    found = {front.name: tuple(front.facts["objectives"]) for front in fronts if front.facts.get("objectives")}
    distinct = sorted(set(found.values()))
    if len({frozenset(names) for names in distinct}) > 1:
        said = "; ".join(f"{name}: {', '.join(names)}" for name, names in found.items())
        named = dict.fromkeys(name for names in found.values() for name in names)
        shared = [name for name in named if all(name in front.frame for front in fronts)]
        rule = "fronts of different objectives do not compare"
        raise DataError(f"objectives ({said})", rule, _compare_only(shared))
    if distinct and len(distinct[0]) > 1:
        return next(iter(found.values()))
    known = [m for m in metrics().values() if all(m.column in front.frame for front in fronts)]
    quality = next((m for m in known if m.source == "weights"), QUALITY)
    cost = next((m for m in known if m.source in ("device", "layers")), LATENCY)
    return (quality.column, cost.column)


def _refuse_different(fronts: Sequence[NamedFront]) -> None:
    for what, identity, more in (("space", ("fingerprint",), "subnets"), ("device", ("id", "precision"), "precision")):
        said = {front.name: (front.facts.get(what) or {}) for front in fronts}
        known = {name: facts for name, facts in said.items() if facts.get(identity[0])}
        if len({tuple(facts.get(part) for part in identity) for facts in known.values()}) > 1:
            named = {name: facts.get("name", facts[identity[0]]) for name, facts in known.items()}
            if len(set(named.values())) == 1:  # such as a network, and what was trained from it for shorter texts
                named = {name: f"{named[name]} ({more}: {facts.get(more)})" for name, facts in known.items()}
            listed = ", ".join(f"{name} is of {called}" for name, called in named.items())
            raise DataError(f"{what}s", f"they differ: {listed}", "pass --anyway to compare them even so")
    shapes = {front.name: _shape(front.frame["arch"].iloc[0]) for front in fronts}
    if len(set(shapes.values())) > 1:
        names = " and ".join(shapes)
        raise DataError(names, "their archs are of different spaces", "pass --anyway to compare them even so")


def _shape(arch: str) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((key, len(v) if isinstance(v, list) else 0) for key, v in json.loads(arch).items()))


def _notes(fronts: Sequence[NamedFront]) -> list[str]:
    lost = [front.name for front in fronts if not front.facts]
    notes = [f"{', '.join(lost)}: no provenance beside the CSV, so space and device are not checked"] if lost else []
    for key, what in (("predictor", "accuracies come from different predictors"), ("device", "latency tables differ")):
        hashes = {(front.facts.get(key) or {}).get("sha256") for front in fronts if front.facts}
        if len(hashes) > 1:
            notes.append(what)
    return notes


def _reference(values: NDArray[np.float64], aims: Sequence[bool]) -> tuple[float, ...]:
    low, high = values.min(axis=0), values.max(axis=0)
    margin = np.where(high > low, MARGIN * (high - low), np.maximum(np.abs(high) * MARGIN, MARGIN))
    return tuple(np.where(aims, low - margin, high + margin).tolist())


def _share_dominated(a: NDArray[np.float64], b: NDArray[np.float64], aims: Sequence[bool]) -> float:
    """Share of the rows of ``a`` that a row of ``b`` dominates; one row of ``a`` at a time, to save memory."""
    sign = np.where(aims, -1.0, 1.0)
    a, b = a * sign, b * sign
    return float(np.mean([bool(((b <= p).all(axis=1) & (b < p).any(axis=1)).any()) for p in a]))


def _budgets(costs: Sequence[NDArray[np.float64]]) -> tuple[float, ...]:
    """Round values over the range that all fronts cover, or over the whole range if they share none."""
    low, high = max(float(c.min()) for c in costs), min(float(c.max()) for c in costs)
    if not low < high:
        low, high = min(float(c.min()) for c in costs), max(float(c.max()) for c in costs)
    if not low < high:
        return (high,)
    rough = (high - low) / BUDGETS
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(m for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    inner = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    return tuple(float(f"{v:.12g}") for v in inner) or (high,)


def _attained(values: NDArray[np.float64], budget: float, aims: Sequence[bool]) -> float:
    within = values[:, 1] >= budget if aims[1] else values[:, 1] <= budget
    if not within.any():
        return float("nan")
    return float(values[within, 0].max() if aims[0] else values[within, 0].min())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
