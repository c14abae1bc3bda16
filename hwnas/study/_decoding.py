"""Timing decoders at two lengths: reading a prompt, and writing one token after a context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.metric import LATENCY, Metric, get_metric
from hwnas.study._lengths import Lengths
from hwnas.study._provenance import Provenance
from hwnas.wording import count_of

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.latency import Measurement
    from hwnas.space import Population, SearchSpace

PREFILL = get_metric("prefill")

MEASURED, AT_SPEED = "measured", "at_table_speed"
"""Companions of a latency."""


@dataclass(frozen=True)
class Runs:
    """Runs of one kind.

    Attributes:
        space: the space at their lengths.
        x: ``(n, g)`` rows of it.
        table: facts of the latency table that predicts them; empty for none.
        what: what a run does, in words.
    """

    space: SearchSpace
    x: Population
    table: Mapping[str, Any]
    what: str


@dataclass(frozen=True)
class Decoding(Lengths):
    """The lengths at which decoders are timed.

    Attributes:
        tables: facts of the latency tables that the library was made with, by column.
    """

    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, space: SearchSpace, provenance: Provenance) -> Decoding | None:
        """The lengths of the block library in which a front was found; None for other networks, which have one length."""
        file = next((file for file in provenance.files if file.get("lengths")), None)
        if file is None or not {"l", "p"} <= set(space.groups):
            return None
        return cls(int(file["lengths"]["prompt"]), int(file["lengths"]["context"]), file.get("tables") or {})

    def completed(self, provenance: Provenance) -> Provenance:
        """A front's provenance, with the device of the library's table if the front has none of its own."""
        table = self.tables.get(LATENCY.column)
        return replace(provenance, device=table) if table and not provenance.device else provenance

    def runs(self, space: SearchSpace, x: Population) -> list[Runs]:
        """Runs of ``(n, g)`` rows: one step of decoding, and one prefill."""
        found = []
        kinds = (
            (LATENCY.column, self.writing(space.whole), f"writing a token after {self.context}"),
            (PREFILL.column, self.reading(space.whole), f"reading a prompt of {self.prompt} tokens"),
        )
        for column, part, what in kinds:
            own = np.array(x, copy=True)
            own[:, part.input_genes] = [part.domain[gene][0] for gene in part.input_genes]
            found.append(Runs(part, own, self.tables.get(column) or {}, what))
        return found

    def summary(self, frame: pd.DataFrame) -> list[str]:
        """Lines with the tokens per second of measured rows, beside the predicted ones."""
        kinds = (("reads", self.prompt, PREFILL), ("writes", 1, LATENCY))
        lines = [
            f"row {cells['row']:g} " + " and ".join(_rates(*kind, cells) for kind in kinds)
            for _, cells in frame.iterrows()
        ]
        lines.append(f"reading: a prompt of {count_of(self.prompt, 'token')}; writing: one after {self.context}")
        return [*lines, *(line for done, _, metric in kinds for line in _errors(done, metric, frame))]


def with_prefill(frame: pd.DataFrame, at: Sequence[int], measured: Sequence[Measurement]) -> pd.DataFrame:
    """``frame`` with ``prefill_measured_ms``, and ``prefill_at_table_speed_ms`` if it is known: after ``prefill_ms``, or before the arch.

    Args:
        frame: a Pareto frame, as numbers or as text.
        at: positions of the measured rows.
        measured: one per position.
    """
    values: dict[str, list[float | None]] = {
        MEASURED: [round(one.median_ms, 4) for one in measured],
        AT_SPEED: [one.at_table_speed_ms and round(one.at_table_speed_ms, 4) for one in measured],
    }
    for what, numbers in reversed(values.items()):
        if None not in numbers:
            frame = _with_column(frame, PREFILL.companion(what), at, numbers)
    return frame


def _with_column(frame: pd.DataFrame, name: str, at: Sequence[int], numbers: Sequence[float | None]) -> pd.DataFrame:
    """``frame`` with numbers in some rows of a column; the other rows keep theirs."""
    import pandas as pd

    old = frame[name] if name in frame else pd.Series(np.nan, index=frame.index)
    values = pd.to_numeric(old, errors="coerce").to_numpy(dtype=float, copy=True)
    values[list(at)] = numbers
    rest = frame.drop(columns=[name], errors="ignore")
    columns = list(rest.columns)
    place = columns.index(PREFILL.column) + 1 if PREFILL.column in columns else columns.index("arch")
    rest.insert(place, name, values)
    return rest


def _rates(done: str, tokens: int, metric: Metric, cells: pd.Series[Any]) -> str:
    """Tokens per second of one row: measured, at the table's speed, and predicted."""
    beside = []
    if metric.companion(AT_SPEED) in cells:
        beside.append(f"{_rate(tokens, cells[metric.companion(AT_SPEED)])} at the table's speed")
    if metric.column in cells:
        beside.append(f"predicted {_rate(tokens, cells[metric.column])}")
    return f"{done} {_rate(tokens, cells[metric.companion(MEASURED)])} tokens/s" + (
        f" ({', '.join(beside)})" if beside else ""
    )


def _errors(done: str, metric: Metric, frame: pd.DataFrame) -> list[str]:
    """The error of predictions, at the speed of their table."""
    from hwnas.latency import fidelity, summary

    at_speed = metric.companion(AT_SPEED)
    if not {metric.column, at_speed} <= set(frame):
        return []
    predicted, measured = (frame[name].to_numpy(dtype=float) for name in (metric.column, at_speed))
    return [f"what it {done}, at the table's speed: {summary(fidelity(predicted, measured))}"]


def _rate(tokens: int, milliseconds: float) -> str:
    return f"{1e3 * tokens / float(milliseconds):,.4g}"
