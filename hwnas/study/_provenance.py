"""Typed provenance: where a front came from, and how to make it again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hwnas.metric import Direction

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class SpaceFacts:
    """The space that was searched.

    Attributes:
        name: name of the space.
        fingerprint: fingerprint of its encoding; archs of another space do not fit.
        subnets: number of its subnets.
        restricted: remaining choices of restricted genes.
        reference: reference that opens the space, if its name is not registered.
    """

    name: str = ""
    fingerprint: str | None = None
    subnets: int | None = None
    restricted: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    reference: str | None = None


@dataclass(frozen=True)
class Provenance:
    """The contents of the JSON beside a Pareto CSV. Missing keys are empty or None; unknown keys are in ``others``.

    Attributes:
        command: the command that made the front.
        objectives, directions: columns in order, and the better direction of each.
        budgets, floors: upper and lower bounds by column.
        searcher: name, seed and settings of the searcher.
        evaluations: subnets scored.
        space: the space that was searched.
        device, devices: the latency table, and those of further devices.
        predictor, evaluator: the source of accuracy.
        weights: file and digest of the searched weights, if a file was named.
        files: names and hashes of the user's files.
        measured, verified: measurements after the search, and during it.
        wall_s: duration of the search in seconds.
        created, versions: date, and versions of packages.
        random_sample: values of random subnets by column.
        others: everything else.
    """

    command: str | None = None
    objectives: Sequence[str] = ()
    directions: Mapping[str, Direction] = field(default_factory=dict)
    budgets: Mapping[str, float] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    searcher: Facts | None = None
    evaluations: int | None = None
    space: SpaceFacts = field(default_factory=SpaceFacts)
    device: Facts | None = None
    devices: Facts = field(default_factory=dict)
    predictor: Facts | None = None
    evaluator: Facts | None = None
    weights: Facts | None = None
    files: Sequence[Facts] = ()
    measured: Facts | None = None
    verified: Facts | None = None
    wall_s: float | None = None
    created: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    random_sample: Mapping[str, Sequence[float]] = field(default_factory=dict)
    others: Facts = field(default_factory=dict)

    @classmethod
    def read(cls, csv: str | os.PathLike[str]) -> Provenance:
        """The provenance beside a Pareto CSV; empty if there is none.

        Raises:
            DataError: there is a file of that name, but no search wrote it.
        """
        from hwnas.report import read_provenance

        return cls.from_json(read_provenance(csv))

    @classmethod
    def from_json(cls, facts: Facts) -> Provenance:
        """From the JSON of :func:`hwnas.report.read_provenance`; files of earlier versions lack some keys."""
        names = {f.name for f in fields(cls)} - {"space", "others"}
        known = {name: value for name, value in facts.items() if name in names and value is not None}
        about = facts.get("space") or {}
        space = SpaceFacts(**{f.name: about[f.name] for f in fields(SpaceFacts) if about.get(f.name) is not None})
        others = {name: value for name, value in facts.items() if name not in names and name != "space"}
        return cls(**known, space=space, others=others)

    def to_json(self) -> dict[str, Any]:
        """The same facts, as JSON types; empty if nothing is known."""
        if self == Provenance():
            return {}
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("space", "others")}
        space = {f.name: getattr(self.space, f.name) for f in fields(self.space)}
        kept = {name: value for name, value in space.items() if value is not None}
        known = {name: _plain(value) for name, value in facts.items() if value is not None and value not in ({}, ())}
        head = {"command": known.pop("command")} if "command" in known else {}
        always: dict[str, Any] = {"budgets": {}, "device": None, "predictor": None}
        return {**head, **always, **known, "space": kept, **self.others}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
