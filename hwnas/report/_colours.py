"""Colours of the members of a front, the same in the picture and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.report._columns import Directions, column
from hwnas.report._genes import ChosenGenes, chosen

INK, MUTED, CLOUD, BUDGET = "#1b2330", "#6b7685", "#c3cad4", "#c8553d"

FRONT = "#22577a"
"""Colour of the front's line, and of members without distinct colours."""

VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")
"""Nine even steps of matplotlib's viridis, from dark to bright. They are here because the page does without matplotlib."""

MOST_STEPS = 9
"""Most values with a colour and a legend entry each; more values share a ramp."""

_SHADES = 64
"""Number of colours of a ramp."""

_ENDS = (0.05, 0.85)
"""Range of the map for steps; its ends are too dark and too bright on white."""


@dataclass(frozen=True)
class Colours:
    """The colours of n members.

    Attributes:
        name: the column or arch key that decides the colour; empty if all members have the same.
        title: title of the legend.
        unit: unit of the values.
        amounts: ``(n,)`` values of the members; all 0 without a name.
        steps: the distinct values, ascending, if each has its own colour; empty if members share a ramp.
        palette: colours of the steps, or of the ramp from low to high.
        index: ``(n,)`` positions of the members in the palette.
    """

    name: str
    title: str
    unit: str
    amounts: NDArray[np.float64]
    steps: Sequence[float]
    palette: Sequence[str]
    index: NDArray[np.intp]


def colours(frame: pd.DataFrame, third: str | None, directions: Directions) -> Colours:
    """Colours by the third objective, or else by the first gene with a single number in which members differ (image size).

    Args:
        frame: a Pareto frame.
        third: column of the third objective, if there is one.
        directions: directions of the user's own metrics.
    """
    if third is not None:
        about = column(third, directions)
        return _ramp(third, about.label, about.unit, frame[third].to_numpy(dtype=float))
    for gene in chosen(frame, None):
        values = _numbers(gene)
        if values is None:
            continue
        steps = np.unique(values)
        if len(steps) > MOST_STEPS:
            return _ramp(gene.key, gene.title, gene.unit, values)
        palette = [_shade(at) for at in np.linspace(*_ENDS, len(steps))]
        index = np.searchsorted(steps, values)
        return Colours(gene.key, gene.title, gene.unit, values, steps.tolist(), palette, index)
    same = np.zeros(len(frame))
    return Colours("", "", "", same, [0.0], [FRONT], same.astype(np.intp))


def _ramp(name: str, title: str, unit: str, values: NDArray[np.float64]) -> Colours:
    low, span = np.nanmin(values), np.ptp(values[np.isfinite(values)]) or 1.0
    share = np.nan_to_num((values - low) / span)
    palette = [_shade(at) for at in np.linspace(0, 0.95, _SHADES)]
    return Colours(name, title, unit, values, [], palette, np.rint(share * (_SHADES - 1)).astype(np.intp))


def _numbers(gene: ChosenGenes) -> NDArray[np.float64] | None:
    """``(n,)`` values of a gene in the members, if it is a single number that differs between them."""
    if gene.codes.shape[1] != 1 or (gene.codes < 0).any() or any(isinstance(c, str) for c in gene.choices):
        return None
    values = np.array([float(c) for c in gene.choices])[gene.codes[:, 0]]
    return values if len(np.unique(values)) > 1 else None


def _shade(share: float) -> str:
    """The colour at a position of the map, from 0 to 1."""
    stops = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in VIRIDIS], dtype=float)
    at = share * (len(stops) - 1)
    rgb = [np.interp(at, range(len(stops)), channel) for channel in stops.T]
    return "#" + "".join(f"{round(value):02x}" for value in rgb)
