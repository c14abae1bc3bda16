"""Provenance, typed: where a front came from, and what is needed to make it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hwnas.metric import Direction

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class SpaceFacts:
    """The space that was searched.

    Attributes:
        name: of the space.
        fingerprint: of its encoding; archs of another one do not fit.
        subnets: how many there were to choose from.
        restricted: genes and the choices that were left of them.
        reference: where the space is found, if that is no registered name.
    """

    name: str = ""
    fingerprint: str | None = None
    subnets: int | None = None
    restricted: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    reference: str | None = None


@dataclass(frozen=True)
class Provenance:
    """What the JSON beside a Pareto CSV tells. What a file lacks is empty or None here; what is unknown is in ``others``.

    Attributes:
        command: what made the front.
        objectives, directions: columns in order, and which way is better of each.
        budgets, floors: upper and lower bounds by column.
        searcher: its name, seed and settings.
        evaluations: subnets scored.
        space: what was searched.
        device, devices: the latency table, and those of further devices.
        predictor, evaluator: where accuracy comes from.
        weights: file and digest of the weights that were searched, where any were named.
        files: names and hashes of the user's files.
        measured, verified: what was measured afterwards, or during the search.
        wall_s: seconds that the search took.
        created, versions: when, and by which packages.
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
    def from_json(cls, facts: Facts) -> Provenance:
        """Of the JSON that :func:`hwnas.report.read_provenance` read; files of earlier versions lack some of it."""
        names = {f.name for f in fields(cls)} - {"space", "others"}
        known = {name: value for name, value in facts.items() if name in names and value is not None}
        about = facts.get("space") or {}
        space = SpaceFacts(**{f.name: about[f.name] for f in fields(SpaceFacts) if about.get(f.name) is not None})
        others = {name: value for name, value in facts.items() if name not in names and name != "space"}
        return cls(**known, space=space, others=others)

    def to_json(self) -> dict[str, Any]:
        """The same facts, as JSON types."""
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("space", "others")}
        space = {f.name: getattr(self.space, f.name) for f in fields(self.space)}
        kept = {name: value for name, value in space.items() if value is not None}
        told = {name: _plain(value) for name, value in facts.items() if value is not None and value not in ({}, ())}
        head = {"command": told.pop("command")} if "command" in told else {}
        usual: dict[str, Any] = {"budgets": {}, "device": None, "predictor": None}
        return {**head, **usual, **told, "space": kept, **self.others}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
