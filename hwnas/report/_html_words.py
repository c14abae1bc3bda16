"""Texts of the HTML page: a sentence on the front, the sources of its numbers, its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwnas.metric import LATENCY, Metric, registered
from hwnas.report._columns import column
from hwnas.report._plot import Picture
from hwnas.wording import count_of

UNKNOWN = "unknown: the JSON that a search writes beside the CSV is missing"


class Words:
    """The texts of one page, unescaped.

    Args:
        picture: the picture of the front.
        facts: its provenance; missing facts are left out.
    """

    def __init__(self, picture: Picture, facts: Mapping[str, Any]) -> None:
        self.picture = picture
        self.facts = facts

    def lede(self, drawn: int) -> str:
        """The opening sentence: number, quality and cost of the subnets, and how many are drawn if not all are."""
        frame, subnets = self.picture.frame, (self.facts.get("space") or {}).get("subnets")
        count = count_of(len(frame), "Pareto-optimal subnet")
        whole = f" of {_power(subnets)}" if isinstance(subnets, int) else ""
        spans = [self._span(name) for name in dict.fromkeys((self.picture.y, self.picture.x))]
        part = f" {drawn:,} of them are drawn, evenly thinned." if drawn < len(frame) else ""
        return f"{count}{whole}: {' at '.join(spans)}.{part}"

    def _span(self, name: str) -> str:
        about, values = self._metric(name), self.picture.frame[name]
        ends = list(dict.fromkeys(about.show(float(v)) for v in (values.min(), values.max())))
        label = about.label if about.label.isupper() or about.label == "MACs" else about.label.lower()
        return f"{label} {'–'.join(ends)} {'' if about.scaled else about.unit}".strip()

    def _metric(self, name: str) -> Metric:
        return column(name, self.picture.directions)

    def sources(self) -> list[tuple[str, str]]:
        """The source of each metric: a measurement or a predictor."""
        columns = list(self.picture.frame.columns)
        entries = []
        known = {name: metric for name in columns if (metric := registered(str(name))) is not None}
        for name, metric in known.items():
            if metric.source == "weights":
                entries.append(("Accuracy" if metric.unit == "%" else metric.label, self._accuracy(name)))
            elif metric.source == "untrained":
                entries.append((metric.label, _flat(self.facts.get("score")) or UNKNOWN))
        if LATENCY.column in columns:
            entries.append((LATENCY.label, self._latency()))
        if any(metric.source == "layers" for metric in known.values()):
            entries.append(("MACs, parameters", "counted; a multiply and its addition are one MAC"))
        return entries

    def _accuracy(self, name: str) -> str:
        predictor, evaluator = self.facts.get("predictor"), self.facts.get("evaluator")
        if evaluator:
            return f"measured: {_flat({name: fact for name, fact in evaluator.items() if name != 'sensitivity'})}"
        if not predictor:
            return UNKNOWN if not self.facts else "measured, or given in the CSV; the provenance names no predictor"
        text = f"predicted, not measured, by {predictor.get('name')} ({predictor.get('kind')})"
        if predictor.get("source"):
            text += f", {predictor['source']}"
        data = [str(d.get("name")) for d in predictor.get("data") or () if isinstance(d, Mapping)]
        if data:
            text += f"; fitted on {', '.join(data)}"
        return text + _and_measured(self.picture, name)

    def _latency(self) -> str:
        device = self.facts.get("device")
        if not device:
            return UNKNOWN if not self.facts else "given in the CSV; the provenance names no latency table"
        text = f"predicted as a sum over {device.get('name')}"
        validation = device.get("validation")
        if validation and "within_5_pct" in validation:
            text += (
                f"; {validation['within_5_pct']:.1f} % of {validation.get('n_validation')} whole subnets "
                f"measured beside it lie within 5 %"
            )
        elif device.get("method") == "imported":
            text += ", imported as published, not validated here"
        return text + _and_measured(self.picture, LATENCY.column)

    def provenance(self) -> list[tuple[str, str]]:
        """Names and texts of all known facts, in order."""
        facts = self.facts
        if not facts:
            return [("Provenance", UNKNOWN)]
        space, device = facts.get("space") or {}, facts.get("device") or {}
        predictor, volume = facts.get("predictor") or {}, facts.get("hypervolume") or {}
        entries = {
            "Made": facts.get("created"),
            "Space": _joined(
                space.get("name"), f"fingerprint {space['fingerprint']}" if "fingerprint" in space else None
            ),
            "Kept choices": _flat(space.get("restricted")),
            "Objectives": ", ".join(_aim(self._metric(name)) for name in facts.get("objectives") or ()),
            "Budgets": ", ".join(self._budgets()),
            "Search": _flat(facts.get("searcher")),
            "Subnets scored": _count(facts.get("evaluations")),
            "Wall time": f"{facts['wall_s']:.1f} s" if isinstance(facts.get("wall_s"), int | float) else None,
            "Hypervolume": self._volume(volume),
            "Certificate": _flat(facts.get("certificate")),
            "Latency table": _joined(
                device.get("id"), device.get("precision"), device.get("method"), device.get("date"), _hash(device)
            ),
            "Conditions": _flat(device.get("conditions")),
            "Validation": _flat(device.get("validation")),
            "Predictor": _joined(predictor.get("name"), predictor.get("kind"), _hash(predictor)),
            "Held-out scores": _flat(predictor.get("scores")),
            "Layers in int8, alone": self._sensitivity(),
            "Versions": _flat(facts.get("versions")),
        }
        return [(name, str(text)) for name, text in entries.items() if text]

    def _sensitivity(self) -> str | None:
        told = (self.facts.get("evaluator") or {}).get("sensitivity") or []
        logits = [f"{row['layer']} {row['logit_error_pct']:.2f} %" for row in told]
        return f"mean logit error of {', '.join(logits)}" if logits else None

    def _budgets(self) -> list[str]:
        bounds = [(name, "≤", upper) for name, upper in (self.facts.get("budgets") or {}).items()]
        bounds += [(name, "≥", lower) for name, lower in (self.facts.get("floors") or {}).items()]
        return [f"{self._metric(name).label} {sign} {self._metric(name).text(float(at))}" for name, sign, at in bounds]

    def _volume(self, volume: Mapping[str, Any]) -> str | None:
        if not isinstance(volume.get("value"), int | float):
            return None
        reference = ", ".join(_value(self._metric(name), at) for name, at in (volume.get("reference") or {}).items())
        return f"{volume['value']:.5g}, against the reference point {reference}"


def _and_measured(picture: Picture, name: str) -> str:
    frame = picture.frame
    measured = column(name).companion("measured")
    if measured not in frame.columns:
        return ""
    known = int(frame[measured].notna().sum())
    return f"; {known} of {len(frame)} subnets measured as well, below"


def _aim(about: Metric) -> str:
    return f"{about.title} {'up' if about.maximise else 'down'}"


def _value(about: Metric, value: Any) -> str:
    return f"{about.label} {about.text(float(value))}"


def _power(count: int) -> str:
    """A count as ``1.1 × 10²⁰``, or with all digits if it is small."""
    if count < 1_000_000:
        return f"{count:,}"
    digits, exponent = f"{count:.1e}".split("e+")
    return f"{digits} × 10{str(int(exponent)).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _count(value: Any) -> str | None:
    return f"{value:,}" if isinstance(value, int) else None


def _hash(source: Mapping[str, Any]) -> str | None:
    return f"sha256 {str(source['sha256'])[:12]}…" if source.get("sha256") else None


def _joined(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part)


def _flat(value: Any) -> str:
    """A nested fact on one line, without empty parts."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{key} {flat if not isinstance(inner, Mapping) else f'({flat})'}"
            for key, inner in value.items()
            if (flat := _flat(inner))
        )
    if isinstance(value, list | tuple):
        return ", ".join(flat for inner in value if (flat := _flat(inner)))
    if isinstance(value, float):
        return f"{value:.5g}"
    return "" if value is None else str(value)
