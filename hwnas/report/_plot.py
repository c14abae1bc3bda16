"""Draw the picture of a front: its members, random subnets behind them, the budgets, units on both axes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.files import replacing
from hwnas.metric import Metric
from hwnas.report._colours import BUDGET, CLOUD, FRONT, INK, MUTED
from hwnas.report._columns import Directions, axis_scale, column
from hwnas.report._measured import MEASURED, PREDICTED
from hwnas.report._members import draw_members
from hwnas.search import non_dominated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """The contents of a picture.

    Attributes:
        frame: a Pareto frame.
        x, y: columns of the axes: the second and the first objective.
        title: a line above the picture.
        subtitle: a smaller line below it.
        sample: ``(k,)`` values of random subnets by column, drawn in the background.
        budgets, floors: upper and lower bounds by column; those of ``x`` and ``y`` are drawn.
        directions: directions of the user's own metrics.
        sample_label: legend entry of the sample.
        z: the third objective, which colours the members.
    """

    frame: pd.DataFrame
    x: str
    y: str
    title: str
    subtitle: str = ""
    sample: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    budgets: Mapping[str, float] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    directions: Directions = field(default_factory=dict)
    sample_label: str = "random subnets"
    z: str | None = None


def save_plot(picture: Picture, path: str | os.PathLike[str]) -> None:
    """Draw to a file, atomically. Its suffix gives the format: png (the default), svg or pdf.

    Raises:
        DataError: the suffix is another one, or the path cannot be written.
    """
    save_figure(draw(picture), path)


def draw(picture: Picture) -> Figure:
    """The picture as a matplotlib figure."""
    figure, axes = new_figure(picture.title, picture.subtitle)
    _draw(axes, picture)
    return figure


def new_figure(title: str, subtitle: str) -> tuple[Figure, Axes]:
    """A figure with empty axes below a title and a subtitle."""
    # matplotlib takes half a second to import. Without pyplot, a figure needs no screen and no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.2), dpi=160, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.09, 0.945, title, fontsize=13, fontweight="bold", color=INK)
    figure.text(0.09, 0.9, subtitle, fontsize=9, color=MUTED)
    return figure, figure.add_axes((0.09, 0.115, 0.885, 0.725))


_METADATA: Mapping[str, dict[str, Any]] = {
    "png": {"Software": "hwnas"},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}
"""Metadata by format; they leave out the date, so that the same picture gives the same bytes."""


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure; see :func:`save_plot`."""
    form = Path(path).suffix.lstrip(".").lower() or "png"
    if form not in _METADATA:
        rule = f"a picture ends in {', '.join(f'.{known}' for known in _METADATA)}"
        raise DataError(f"output {path}", rule, f"write for example {Path(path).with_suffix('.png')}")
    with replacing(path) as part:
        figure.savefig(part, format=form, metadata=_METADATA[form])


def _draw(axes: Axes, picture: Picture) -> None:
    frame = picture.frame.sort_values(picture.x, kind="stable")
    x_column, y_column = column(picture.x, picture.directions), column(picture.y, picture.directions)
    x_scale, x_unit = axis_scale(frame[picture.x].to_numpy(dtype=float), x_column)
    y_scale, y_unit = axis_scale(frame[picture.y].to_numpy(dtype=float), y_column)
    x = frame[picture.x].to_numpy(dtype=float) / x_scale
    y = frame[picture.y].to_numpy(dtype=float) / y_scale
    bounds = [bound and bound / x_scale for bound in (picture.floors.get(picture.x), picture.budgets.get(picture.x))]

    axes.set_xlim(_window(x, np.asarray(picture.sample.get(picture.x, ())) / x_scale, *bounds))
    cloud = len(picture.sample.get(picture.x, ())) if picture.y in picture.sample else 0
    if cloud:
        across = np.asarray(picture.sample[picture.x]) / x_scale
        low, high = axes.get_xlim()
        seen = (low <= across) & (across <= high)
        up = np.asarray(picture.sample[picture.y])[seen] / y_scale
        axes.scatter(across[seen], up, s=7, color=CLOUD, alpha=0.6, linewidths=0, zorder=1, label=picture.sample_label)
    edge = non_dominated(np.stack([y, x], axis=1), (y_column.maximise, x_column.maximise))
    step = stepping(x_column)
    if (deviation := y_column.companion("std")) in frame:
        spread = frame[deviation].to_numpy(dtype=float) / y_scale
        band = (y - spread)[edge], (y + spread)[edge]
        axes.fill_between(x[edge], *band, color=FRONT, alpha=0.13, lw=0, zorder=2, step=step, label="± 1 std")
    axes.plot(x[edge], y[edge], color=FRONT, linewidth=1.1, alpha=0.7, zorder=3, drawstyle=f"steps-{step}")
    _beside(axes, picture, frame, y)
    draw_members(axes, frame, x, y, picture.z, picture.directions)
    across_label = "Latency, measured" if picture.x == MEASURED else x_column.label
    frame_axes(axes, (across_label, x_unit), (y_column.label, y_unit))
    for bound, draw_bound in zip(bounds, (_floor_line, _budget_line), strict=True):
        if bound is not None:
            draw_bound(axes, bound, f"{bound:.4g} {x_unit}".strip())
    for bound in (picture.floors.get(picture.y), picture.budgets.get(picture.y)):
        if bound is not None:
            axes.axhline(bound / y_scale, color=BUDGET, linewidth=1.0, linestyle=(0, (2, 3)), zorder=2.5)
    if len(x):
        best = int(np.argmax(y) if y_column.maximise else np.argmin(y))
        _annotate(axes, x[best], y[best], f"{y[best]:.4g} {y_unit}\nat {x[best]:.4g} {x_unit}")
    axes.legend(loc="lower right", fontsize=8, frameon=True, framealpha=0.85, edgecolor="none", labelcolor=INK)


def _beside(axes: Axes, picture: Picture, frame: pd.DataFrame, y: NDArray[np.float64]) -> None:
    """If latency is both predicted and measured, also draw the one that is not on the axis."""
    other, label = {PREDICTED: (MEASURED, "measured"), MEASURED: (PREDICTED, "predicted")}.get(picture.x, ("", ""))
    if other not in frame.columns:
        return
    at = pd.to_numeric(frame[other], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    axes.hlines(y, at, frame[picture.x].to_numpy(dtype=float), color=MUTED, linewidth=0.7, zorder=3.4)
    axes.scatter(at, y, s=13, facecolors="white", edgecolors=MUTED, linewidths=0.8, zorder=3.5, label=label)


def _window(
    x: NDArray[np.float64], sample: NDArray[np.float64], floor: float | None, budget: float | None
) -> tuple[float, float]:
    """The range of the x axis: the whole front, and a part of the sample beyond the bounds."""
    points = np.concatenate([x, sample])
    low, high = float(points.min()), float(points.max())
    near = 0.3 * (high - low)
    # A bound far from all points is only written at the edge. Drawn to scale, it would squeeze the points together.
    if budget is not None and budget <= high + near:
        low = min(low, budget)
        beyond = min(high, budget + 0.5 * (budget - low))
        high = max(x.max(initial=beyond), budget + 0.05 * (budget - low))
    if floor is not None and floor >= low - near:
        high = max(high, floor)
        below = max(low, floor - 0.5 * (high - floor))
        low = min(x.min(initial=below), floor - 0.05 * (high - floor))
    pad = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    return low - pad, high + pad


def stepping(x: Metric) -> Literal["pre", "post"]:
    """matplotlib's step style for a front over a metric: with a bound between two subnets, only the cheaper one is left."""
    return "pre" if x.maximise else "post"


def frame_axes(axes: Axes, x: tuple[str, str], y: tuple[str, str]) -> None:
    """Labels with units, a light grid, and no lines at the top and right."""
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    for spine in ("left", "bottom"):
        axes.spines[spine].set_color(MUTED)
    axes.grid(color="#e9ecf0", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=9)
    axes.set_xlabel(f"{x[0]} ({x[1]})" if x[1] else x[0], color=INK, fontsize=10)
    axes.set_ylabel(f"{y[0]} ({y[1]})" if y[1] else y[0], color=INK, fontsize=10)
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + 0.08 * (top - bottom))  # room for the best subnet's label


def _budget_line(axes: Axes, at: float, text: str) -> None:
    right = axes.get_xlim()[1]
    if at > right:
        _name_bound(axes, 1, f"budget {text}, beyond all of these →", ha="right", transform=axes.transAxes)
    else:
        _bound_line(axes, at, right, f"budget {text}")


def _floor_line(axes: Axes, at: float, text: str) -> None:
    left = axes.get_xlim()[0]
    if at < left:
        _name_bound(axes, 0, f"← at least {text}, below all of these", ha="left", transform=axes.transAxes)
    else:
        _bound_line(axes, at, left, f"at least {text}")


def _bound_line(axes: Axes, at: float, edge: float, text: str) -> None:
    """A line with text above it, and a shade over the excluded side."""
    axes.axvline(at, color=BUDGET, linewidth=1.3, linestyle=(0, (5, 3)), zorder=2.5)
    axes.axvspan(*sorted((at, edge)), color=BUDGET, alpha=0.05, linewidth=0, zorder=0)
    _name_bound(axes, at, text, ha="center", transform=axes.get_xaxis_transform())


def _name_bound(axes: Axes, at: float, text: str, **placed: Any) -> None:
    axes.text(at, 1.012, text, va="bottom", fontsize=8.5, color=BUDGET, **placed)


def _annotate(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(
        text,
        (x, y),
        xytext=(-16, 14),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=9,
        color=INK,
        fontweight="bold",
        arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.8},
        zorder=5,
    )
