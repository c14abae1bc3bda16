"""Show a front as a rich table, thinned if it is long."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hwnas.report._columns import beside, column, is_known
from hwnas.report._fitting import FittingTable
from hwnas.report._measured import MEASURED, WITHIN

MAX_ROWS = 16
DEVICE = 12
"""Most characters of a device's name in a title."""

_RANKS = (
    "top1",
    "score",
    MEASURED,
    WITHIN,
    "latency_ms",
    "macs",
    "latency_error_pct",
    "params",
    "size_bytes",
    "memory_bytes",
    "images_per_s",
    "latency_p95_ms",
    "top1_std",
)
"""Metrics by importance; a narrow terminal leaves out the last first."""

SHORT_GENES = 6
"""Most positions of a gene group in the table (depths); longer ones (kernels per block) are only in the CSV."""


def thinned(n: int, most: int = MAX_ROWS) -> list[int]:
    """At most ``most`` of n positions, evenly spread, first and last included."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int)).tolist() if n else []


def front_table(frame: pd.DataFrame, *, most: int = MAX_ROWS, also: Sequence[str] = ()) -> FittingTable:
    """A table of a Pareto frame (see :func:`hwnas.report.read_pareto`).

    Args:
        frame: the front, best first.
        most: most rows to print; the caption says how many there are.
        also: columns to show besides known ones, such as the objectives; a narrow terminal leaves them out last.
    """
    at = thinned(len(frame), most)
    shown = frame.iloc[at]
    table = FittingTable(
        caption=f"{len(shown)} of {len(frame)} subnets, evenly thinned" if len(shown) < len(frame) else None
    )
    metrics = [str(name) for name in frame.columns if is_known(str(name)) or name in also]
    archs = [json.loads(cell) for cell in shown["arch"]]
    genes = [key for key in (archs[0] if archs else {}) if _is_short(archs[0][key])]
    crowded = MEASURED in metrics or any("@" in name for name in metrics)
    if crowded:
        # There are too many columns for 80 characters: leave out genes, break titles before units, shorten devices.
        genes = []
    table.add_column("Row", map(str, shown["row"]), rank=0)
    for name in metrics:
        title = _narrow(name) if crowded else column(name).title
        table.add_column(
            _of_what(name, metrics) + title, [_cell(name, value) for value in shown[name]], rank=_rank(name, also)
        )
    for place, gene in enumerate(genes):
        cells = [_short(arch.get(gene)) for arch in archs]
        table.add_column(_GENE_TITLES.get(gene, gene), cells, rank=len(_RANKS) + 2 + place)
    return table


def _of_what(name: str, shown: Sequence[str]) -> str:
    """The metric of a companion column if it has no column itself: ``Prefill:`` before ``Measured``."""
    found = beside(name)
    if found is None or found[0].on(name.partition("@")[2]).column in shown:
        return ""
    return f"{found[0].label}:\n"


def _rank(name: str, also: Sequence[str]) -> int:
    """Rank of a column, see ``FittingTable``: those in ``also`` have the lowest."""
    if name in also:
        return 1
    stem = name.partition("@")[0]
    return 2 + (_RANKS.index(stem) if stem in _RANKS else len(_RANKS) - 1)


def _narrow(name: str) -> str:
    """A title of up to three lines."""
    stem, _, device = name.partition("@")
    return column(stem).title.replace(" (", "\n(") + (f"\n{device[:DEVICE]}" if device else "")


def _cell(name: str, value: Any) -> str:
    if name.partition("@")[0] == WITHIN:
        return {"True": "yes", "False": "NO"}.get(str(value), "-")
    if value in ("", None) or math.isnan(float(value)):
        return "-"
    return column(name).show(float(value))


_GENE_TITLES = {"r": "Pixels", "d": "Depths", "w": "Widths"}


def _is_short(value: Any) -> bool:
    return not isinstance(value, list) or len(value) <= SHORT_GENES


def _short(value: Any) -> str:
    return "-".join(str(v) for v in value) if isinstance(value, list) else str(value)
