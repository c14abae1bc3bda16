"""Draw the members of a front, and the legend of their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.metric import Metric
from hwnas.report._colours import INK, MUTED, Colours, colours
from hwnas.report._columns import Directions, axis_scale, column
from hwnas.wording import count_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MANY = 120
"""Most members that are drawn with large points."""


def draw_members(
    axes: Axes,
    frame: pd.DataFrame,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    third: str | None,
    directions: Directions,
) -> None:
    """Draw the front's points in the colours of :func:`colours`, with a legend entry for each colour."""
    found = colours(frame, third, directions)
    if not found.steps:
        _along_a_ramp(axes, x, y, found, column(found.name, directions) if third else None)
        return
    area, edge = (26, 0.5) if len(x) <= MANY else (15, 0.2) if len(x) <= 3 * MANY else (9, 0.0)
    for i, (step, colour) in enumerate(zip(found.steps, found.palette, strict=True)):
        chosen = found.index == i
        label = (
            f"front, {step:g} {found.unit}".rstrip() if found.name else f"Pareto front, {count_of(len(x), 'subnet')}"
        )
        axes.scatter(
            x[chosen], y[chosen], s=area, color=[colour], edgecolors="white", linewidths=edge, zorder=4, label=label
        )


def _along_a_ramp(
    axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], found: Colours, third: Metric | None
) -> None:
    """Draw the points on a colour ramp with a colour bar; the costliest first, so that cheap ones stay visible."""
    from matplotlib.colors import ListedColormap  # heavy, and only a picture needs it

    scale, unit = axis_scale(found.amounts, third) if third else (1.0, found.unit)
    order = np.argsort(found.amounts if third is None or third.maximise else -found.amounts, kind="stable")
    points = axes.scatter(
        x[order], y[order], s=26 if len(x) <= MANY else 9, c=found.amounts[order] / scale,
        cmap=ListedColormap(list(found.palette)), linewidths=0, zorder=4, label=f"Pareto front, {count_of(len(x), 'subnet')}",
    )  # fmt: skip
    inset = axes.inset_axes((0.62, 0.3, 0.34, 0.022))
    bar = axes.figure.colorbar(points, cax=inset, orientation="horizontal")
    bar.outline.set_visible(False)
    inset.tick_params(labelsize=7.5, colors=MUTED, length=2)
    inset.set_title(f"{found.title} ({unit})" if unit else found.title, fontsize=8, color=INK, pad=3)
