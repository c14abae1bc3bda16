"""The picture of a front: its axes and its title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.errors import DataError
from hwnas.metric import LATENCY, metrics
from hwnas.study._provenance import Provenance
from hwnas.wording import count_of

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.report import Picture

_MEASURED = LATENCY.companion("measured")


def axes_of(columns: Sequence[str], objectives: Sequence[str]) -> tuple[str, str]:
    """``(x, y)``: the second and the first objective; other metrics replace missing ones.

    Raises:
        DataError: there is no column of a metric.
    """
    sources = ("weights", "untrained", "device", "layers", "metrics", "file")
    usual = sorted(metrics().values(), key=lambda m: sources.index(m.source))
    known = [name for name in (*objectives, *(m.column for m in usual)) if name in columns]
    if not known:
        named = ", ".join(m.column for m in usual)
        raise DataError("the front", f"it has none of the columns {named}", "add one to draw it")
    y = known[0]
    x = next((name for name in known if name != y), y)
    return x, y


def picture_of(frame: pd.DataFrame, provenance: Provenance) -> Picture:
    """The picture of a front, from its table and its provenance, which may be empty.

    If the latency of every row was measured, measured latencies are drawn.
    """
    from hwnas.report import Picture

    x, y = axes_of(list(frame.columns), provenance.objectives)
    sample = {name: np.asarray(values, dtype=float) for name, values in provenance.random_sample.items()}
    budgets, floors = dict(provenance.budgets), dict(provenance.floors)
    measured = _MEASURED in frame.columns and bool(frame[_MEASURED].notna().all())
    if measured and x == LATENCY.column:
        x = _MEASURED
        drawn: tuple[dict[str, Any], ...] = (sample, budgets, floors)
        for known in drawn:
            if LATENCY.column in known:
                known[x] = known[LATENCY.column]
    space, score = provenance.space, provenance.others.get("score")
    table = provenance.device or {}
    device, precision = table.get("id"), table.get("precision", "fp32")
    words = [count_of(len(frame), "Pareto-optimal subnet") + (f" of {_power(space.subnets)}" if space.subnets else "")]
    if provenance.predictor:
        by = "" if measured else f" by {provenance.predictor['name']}"  # there is no room for both
        words.append(f"accuracy predicted{by}")
    if provenance.evaluator:
        words.append(f"by accuracies on {count_of(provenance.evaluator['images'], 'sample')}")
    if score:
        words.append(f"{score['name']} scores untrained networks: no accuracy")
    if measured:
        words.append("latency measured")
    return Picture(
        frame=frame,
        x=x,
        y=y,
        title=f"{space.name} on {device}{f' in {precision}' if precision != 'fp32' else ''}" if device else space.name,
        subtitle=" · ".join(words),
        sample=sample,
        budgets=budgets,
        floors=floors,
        directions=provenance.directions,
        sample_label="subnets evaluated" if provenance.evaluator else "subnets scored" if score else "random subnets",
        z=next((name for name in provenance.objectives[2:] if name in frame.columns and name not in (x, y)), None),
    )


def _power(count: int) -> str:
    """A count as matplotlib text: ``1.1 × 10^20``, or all digits of a small one."""
    if count < 1_000_000:
        return f"{count:,}"
    digits, exponent = f"{count:.1e}".split("e+")
    return rf"${digits} \times 10^{{{int(exponent)}}}$"
