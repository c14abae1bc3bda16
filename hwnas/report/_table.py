"""The front as a rich table, thinned where it is long."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from hwnas.report._columns import column, is_known
from hwnas.report._measured import MEASURED, WITHIN

MAX_ROWS = 16
DEVICE = 12
"""Characters of a device's name that a title has room for."""

SHORT_GENES = 6
"""Genes of up to so many positions are shown (depths); longer ones (kernels per block) stay in the CSV."""


def thinned(n: int, most: int = MAX_ROWS) -> list[int]:
    """At most ``most`` of n positions, evenly spread, first and last included."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int)).tolist() if n else []


def front_table(frame: pd.DataFrame, *, most: int = MAX_ROWS, also: Sequence[str] = ()) -> Table:
    """A table of a Pareto frame (see :func:`hwnas.report.read_pareto`).

    Args:
        frame: the front, best first.
        most: rows to print; the caption says how many there are.
        also: columns to show beside those that every search knows.
    """
    shown = thinned(len(frame), most)
    caption = f"{len(shown)} of {len(frame)} subnets, evenly thinned" if len(shown) < len(frame) else None
    table = Table(caption=caption, caption_justify="left", header_style="bold", box=None, pad_edge=False)
    metrics = [str(name) for name in frame.columns if is_known(str(name)) or name in also]
    archs = [json.loads(frame["arch"].iloc[i]) for i in shown]
    genes = [key for key in (archs[0] if archs else {}) if _is_short(archs[0][key])]
    titles = [column(name).title for name in metrics]
    if MEASURED in metrics or any("@" in name for name in metrics):
        # More columns than 80 characters hold: the genes stay in the CSV, units go below, devices are cut short.
        genes, titles = [], [_narrow(name) for name in metrics]
    for title in ("Row", *titles, *(_GENE_TITLES.get(g, g) for g in genes)):
        table.add_column(title, justify="right", no_wrap=True)
    for i, arch in zip(shown, archs, strict=True):
        values = (_cell(name, frame[name].iloc[i]) for name in metrics)
        table.add_row(str(frame["row"].iloc[i]), *values, *(_short(arch.get(gene)) for gene in genes))
    return table


def _narrow(name: str) -> str:
    """A title in up to three lines."""
    stem, _, device = name.partition("@")
    return column(stem).title.replace(" (", "\n(") + (f"\n{device[:DEVICE]}" if device else "")


def _cell(name: str, value: Any) -> str:
    if name == WITHIN:
        return {"True": "yes", "False": "NO"}.get(str(value), "-")
    if value in ("", None) or math.isnan(float(value)):  # not known for this row
        return "-"
    return column(name).show(float(value))


_GENE_TITLES = {"r": "Pixels", "d": "Depths", "w": "Widths"}


def _is_short(value: Any) -> bool:
    return not isinstance(value, list) or len(value) <= SHORT_GENES


def _short(value: Any) -> str:
    return "-".join(str(v) for v in value) if isinstance(value, list) else str(value)
