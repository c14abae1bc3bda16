"""The measurements of a front on one device: their columns, their provenance, and the rows that hold the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import NotHeldError
from hwnas.metric import LATENCY
from hwnas.study._decoding import Decoding, with_prefill
from hwnas.study._place import Place

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.latency import MeasuredSubnets, Measurement
    from hwnas.study._front import Front


@dataclass(frozen=True)
class Measured:
    """Measurements of a front on one device.

    Attributes:
        at: positions of the measured rows.
        found: one measurement per position.
        place: device and precision.
        budget_ms: latency budget; None if there is none.
        name: name of the device in columns; empty for the main one.
        journals: files that keep measurements until the front is saved.
        elsewhere: whether the device is another machine's.
        decoding: lengths of a decoder's runs; None for other networks.
        reading: a decoder's prefill, one per position.
    """

    at: list[int]
    found: MeasuredSubnets
    place: Place
    budget_ms: float | None
    name: str
    journals: Sequence[Path]
    elsewhere: bool = False
    decoding: Decoding | None = None
    reading: Sequence[Measurement] = ()

    def beside(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A front's table with the measurements beside the predictions."""
        from hwnas.report import with_measured

        frame = with_measured(frame, self.at, self.found.measurements, self.budget_ms, device=self.name)
        return with_prefill(frame, self.at, self.reading) if self.reading and not self.name else frame

    def on(self, front: Front) -> Front:
        """The front with the measurements beside the predictions."""
        provenance = front.provenance
        column = LATENCY.on(self.name).column
        budgets = dict(provenance.budgets) | ({column: self.budget_ms} if self.budget_ms is not None else {})
        facts: dict[str, Any] = _facts(self.place, self.found)
        others = (provenance.measured or {}).get("others", {})
        if self.name:
            facts = {**(provenance.measured or {}), "others": {**others, self.name: facts}}
        elif others:
            facts = {**facts, "others": others}  # their columns stay
        provenance = replace(provenance, budgets=budgets, measured=facts)
        journals = [*front.journals, *self.journals]
        return replace(front, frame=self.beside(front.frame), provenance=provenance, journals=journals)

    def held(self, front: Front) -> Front:
        """The measured rows of a front that hold the latency budget, which there must be.

        Raises:
            NotHeldError: no row holds it.
        """
        assert self.budget_ms is not None
        at = [i for i, m in zip(self.at, self.found.measurements, strict=True) if m.median_ms <= self.budget_ms]
        if not at:
            value = f"no measured subnet holds {self.budget_ms:g} ms"
            raise NotHeldError(value, "nothing is left of the front", "search under a smaller budget, or allow more")
        whole = self.on(front)
        return replace(whole, frame=whole.frame.iloc[at].reset_index(drop=True))


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
