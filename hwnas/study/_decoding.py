"""The lengths at which decoders are timed: reading a prompt, and writing one token after a context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.metric import LATENCY, get_metric

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.latency import Measurement
    from hwnas.space import Population, SearchSpace

PREFILL = get_metric("prefill")


@dataclass(frozen=True)
class Decoding:
    """The lengths at which decoders are timed.

    Attributes:
        prompt: tokens that a prefill reads.
        context: tokens in the cache at the step of decoding.
    """

    prompt: int
    context: int

    @classmethod
    def of(cls, space: SearchSpace, facts: Mapping[str, Any]) -> Decoding | None:
        """The lengths of the block library that a front was found in; None for other networks, which have one
        length."""
        told = next((file["lengths"] for file in facts.get("files") or () if file.get("lengths")), None)
        return cls(int(told["prompt"]), int(told["context"])) if told and {"l", "p"} <= set(space.groups) else None

    def rows(self, space: SearchSpace, x: Population) -> Population:
        """``(2 n, g)``: the step of decoding of each of ``(n, g)`` rows, then their prefills."""
        found = []
        for length, past in ((1, self.context), (self.prompt, 0)):
            own = np.array(x, copy=True)
            for name, value in (("l", length), ("p", past)):
                (column,) = space.groups[name]
                own[:, column] = space.genes[column].choices.index(value)
            found.append(own)
        return np.concatenate(found)

    def told(self, frame: pd.DataFrame) -> list[str]:
        """Tokens per second of rows that were measured, and what was predicted of them."""
        lines = []
        for _, cells in frame.iterrows():
            parts = [
                f"{done} {_rate(tokens, cells[metric.companion('measured')])} tokens/s"
                + (f" (predicted {_rate(tokens, cells[metric.column])})" if metric.column in frame else "")
                for done, tokens, metric in (("reads", self.prompt, PREFILL), ("writes", 1, LATENCY))
            ]
            lines.append(f"row {cells['row']:g} {' and '.join(parts)}")
        about = f"reading: a prompt of {self.prompt} tokens; writing: one after {self.context}"
        return [*lines, about]


def with_prefill(frame: pd.DataFrame, at: Sequence[int], measured: Sequence[Measurement]) -> pd.DataFrame:
    """``frame`` with ``prefill_measured_ms`` behind ``prefill_ms``.

    Args:
        frame: a Pareto frame, as numbers or as text.
        at: positions of the rows that were measured.
        measured: one per position.
    """
    import pandas as pd

    name = PREFILL.companion("measured")
    old = frame[name] if name in frame else pd.Series(np.nan, index=frame.index)
    values = pd.to_numeric(old, errors="coerce").to_numpy(dtype=float, copy=True)
    values[list(at)] = [round(one.median_ms, 4) for one in measured]
    rest = frame.drop(columns=[name], errors="ignore")
    columns = list(rest.columns)
    place = columns.index(PREFILL.column) + 1 if PREFILL.column in columns else len(columns)
    rest.insert(place, name, values)
    return rest


def _rate(tokens: int, milliseconds: float) -> str:
    return f"{1e3 * tokens / float(milliseconds):,.4g}"
