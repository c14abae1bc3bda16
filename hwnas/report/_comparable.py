"""Which fronts compare, and in which objectives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

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


def objectives_of(fronts: Sequence[NamedFront], wanted: Sequence[str] | None) -> tuple[Metric, ...]:
    """The objectives to compare in: those that are wanted, or else those of the searches.

    Raises:
        DataError: there are fewer than two, or a front lacks one, or has other units or directions.
    """
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


def refuse_different(fronts: Sequence[NamedFront]) -> None:
    """Refuse fronts of different spaces or devices.

    Raises:
        DataError: they differ.
    """
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


def notes_on(fronts: Sequence[NamedFront]) -> list[str]:
    """Sentences about what the provenances do not say, or say differently."""
    lost = [front.name for front in fronts if not front.facts]
    notes = [f"{', '.join(lost)}: no provenance beside the CSV, so space and device are not checked"] if lost else []
    for key, what in (("predictor", "accuracies come from different predictors"), ("device", "latency tables differ")):
        hashes = {(front.facts.get(key) or {}).get("sha256") for front in fronts if front.facts}
        if len(hashes) > 1:
            notes.append(what)
    return notes
