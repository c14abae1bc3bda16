"""The picture of a front: its members, random subnets behind them, the budget, units on both axes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.files import replacing
from hwnas.metric import Metric
from hwnas.report._columns import Directions, column
from hwnas.report._measured import MEASURED, PREDICTED
from hwnas.report._pareto import non_dominated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, CLOUD, FRONT, BUDGET = "#1b2330", "#6b7685", "#c3cad4", "#22577a", "#c8553d"
COLORMAP = "viridis"
MOST_COLOURS = 9
MANY = 120


@dataclass(frozen=True)
class Picture:
    """What to draw.

    Attributes:
        frame: a Pareto frame.
        x, y: columns on the axes; the second objective and the first.
        title: one line.
        subtitle: one line under it, smaller.
        sample: ``(k,)`` values of random subnets by column, drawn behind.
        budgets: upper bounds by column; the one of ``x`` is drawn.
        floors: lower bounds by column; the one of ``y`` is drawn.
        directions: of the user's own metrics.
        sample_label: what the sample is.
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
    """Draw to a file, atomically; its suffix gives the format (png, svg, pdf).

    Raises:
        DataError: the path cannot be written.
    """
    # matplotlib takes half a second to import, and a figure needs no screen: no pyplot, no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 5.2), dpi=160, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.115, 0.885, 0.725))
    _draw(axes, picture)
    figure.text(0.09, 0.945, picture.title, fontsize=13, fontweight="bold", color=INK)
    figure.text(0.09, 0.9, picture.subtitle, fontsize=9, color=MUTED)
    with replacing(path) as part:
        figure.savefig(part, format=Path(path).suffix.lstrip(".").lower() or "png", metadata=undated(Path(path)))


def undated(path: Path) -> dict[str, Any]:
    """Same picture, same bytes: no date inside."""
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {"Software": "hwnas"})


def _draw(axes: Axes, picture: Picture) -> None:
    frame = picture.frame.sort_values(picture.x, kind="stable")
    x_column, y_column = column(picture.x, picture.directions), column(picture.y, picture.directions)
    x_scale, x_unit = axis_scale(frame[picture.x].to_numpy(dtype=float), x_column)
    y_scale, y_unit = axis_scale(frame[picture.y].to_numpy(dtype=float), y_column)
    x = frame[picture.x].to_numpy(dtype=float) / x_scale
    y = frame[picture.y].to_numpy(dtype=float) / y_scale
    budget = picture.budgets.get(picture.x)

    axes.set_xlim(_window(x, np.asarray(picture.sample.get(picture.x, ())) / x_scale, budget and budget / x_scale))
    cloud = len(picture.sample.get(picture.x, ())) if picture.y in picture.sample else 0
    if cloud:
        across = np.asarray(picture.sample[picture.x]) / x_scale
        seen = across <= axes.get_xlim()[1]
        up = np.asarray(picture.sample[picture.y])[seen] / y_scale
        axes.scatter(across[seen], up, s=7, color=CLOUD, alpha=0.6, linewidths=0, zorder=1, label=picture.sample_label)
    edge = non_dominated(np.stack([y, x], axis=1), (y_column.maximise, x_column.maximise))
    if f"{picture.y}_std" in frame:
        spread = frame[f"{picture.y}_std"].to_numpy(dtype=float) / y_scale
        band = (y - spread)[edge], (y + spread)[edge]
        axes.fill_between(x[edge], *band, color=FRONT, alpha=0.13, lw=0, zorder=2, step="post", label="± 1 std")
    # Steps, not slopes: what lies between two subnets of the front costs as much as the dearer one.
    axes.plot(x[edge], y[edge], color=FRONT, linewidth=1.1, alpha=0.7, zorder=3, drawstyle="steps-post")
    _beside(axes, picture, frame, y)
    if picture.z is None:
        _members(axes, frame, x, y)
    else:
        _members_by(axes, frame, x, y, column(picture.z, picture.directions))
    across_label = "Latency, measured" if picture.x == MEASURED else x_column.label
    frame_axes(axes, (across_label, x_unit), (y_column.label, y_unit))
    if budget is not None:
        _budget_line(axes, budget / x_scale, f"{budget / x_scale:.4g} {x_unit}".strip())
    if picture.y in picture.floors:
        axes.axhline(
            picture.floors[picture.y] / y_scale, color=BUDGET, linewidth=1.0, linestyle=(0, (2, 3)), zorder=2.5
        )
    if len(x):
        best = int(np.argmax(y) if y_column.maximise else np.argmin(y))
        _annotate(axes, x[best], y[best], f"{y[best]:.4g} {y_unit}\nat {x[best]:.4g} {x_unit}")
    axes.legend(loc="lower right", fontsize=8, frameon=True, framealpha=0.85, edgecolor="none", labelcolor=INK)


def _beside(axes: Axes, picture: Picture, frame: pd.DataFrame, y: NDArray[np.float64]) -> None:
    """Where latency is known twice, the other one: measured beside predicted, or predicted beside measured."""
    other, label = {PREDICTED: (MEASURED, "measured"), MEASURED: (PREDICTED, "predicted")}.get(picture.x, ("", ""))
    if other not in frame.columns:
        return
    at = pd.to_numeric(frame[other], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    axes.hlines(y, at, frame[picture.x].to_numpy(dtype=float), color=MUTED, linewidth=0.7, zorder=3.4)
    axes.scatter(at, y, s=13, facecolors="white", edgecolors=MUTED, linewidths=0.8, zorder=3.5, label=label)


def _window(x: NDArray[np.float64], sample: NDArray[np.float64], budget: float | None) -> tuple[float, float]:
    """What of the x axis is shown: the front, and a part of what lies beyond the budget."""
    points = np.concatenate([x, sample])
    low, high = float(points.min()), float(points.max())
    # A budget far above everything is named at the edge: drawn to scale it would squeeze the rest.
    if budget is not None and budget <= high + 0.3 * (high - low):
        low = min(low, budget)
        high = min(max(high, budget + 0.05 * (budget - low)), budget + 0.5 * (budget - low))
    pad = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    return low - pad, high + pad


def _members(axes: Axes, frame: pd.DataFrame, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """The front's points, one colour per image size where there are several."""
    from matplotlib import colormaps  # noqa: PLC0415
    from matplotlib.colors import to_rgba  # noqa: PLC0415

    pixels = np.array([_pixels(cell) for cell in frame["arch"]])
    sizes = np.unique(pixels)
    groups = [(pixels == size, colormaps[COLORMAP](i), f"front, {size} px") for i, size in _spread(sizes)]
    if len(sizes) < 2 or sizes[0] < 0 or len(sizes) > MOST_COLOURS:
        groups = [(np.ones(len(x), dtype=bool), to_rgba(FRONT), f"Pareto front, {len(x)} subnets")]
    area, edge = (26, 0.5) if len(x) <= MANY else (15, 0.2) if len(x) <= 3 * MANY else (9, 0.0)
    for chosen, colour, label in groups:
        axes.scatter(
            x[chosen], y[chosen], s=area, color=[colour], edgecolors="white", linewidths=edge, zorder=4, label=label
        )


def _members_by(axes: Axes, frame: pd.DataFrame, x: NDArray[np.float64], y: NDArray[np.float64], third: Metric) -> None:
    """The front's points, coloured by a third objective; the costly ones below, where many lie on one another."""
    values = frame[third.column].to_numpy(dtype=float)
    scale, unit = axis_scale(values, third)
    order = np.argsort(values if third.maximise else -values, kind="stable")
    area = 26 if len(x) <= MANY else 9
    points = axes.scatter(
        x[order], y[order], s=area, c=values[order] / scale, cmap=COLORMAP, linewidths=0, zorder=4,
        label=f"Pareto front, {len(x)} subnets",
    )  # fmt: skip
    inset = axes.inset_axes((0.62, 0.3, 0.34, 0.022))
    bar = axes.figure.colorbar(points, cax=inset, orientation="horizontal")
    bar.outline.set_visible(False)
    inset.tick_params(labelsize=7.5, colors=MUTED, length=2)
    inset.set_title(f"{third.label} ({unit})" if unit else third.label, fontsize=8, color=INK, pad=3)


def _spread(sizes: NDArray[np.int64]) -> list[tuple[float, int]]:
    """Each size with its place on the colour map, whose ends are too dark and too bright on white."""
    return list(zip(np.linspace(0.05, 0.85, len(sizes)).tolist(), sizes.tolist(), strict=True))


def _pixels(arch: str) -> int:
    value = json.loads(arch).get("r", -1)
    return value if isinstance(value, int) else -1


def frame_axes(axes: Axes, x: tuple[str, str], y: tuple[str, str]) -> None:
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
        note = f"budget {text}, beyond all of these →"
        axes.text(1, 1.012, note, transform=axes.transAxes, ha="right", va="bottom", fontsize=8.5, color=BUDGET)
        return
    axes.axvline(at, color=BUDGET, linewidth=1.3, linestyle=(0, (5, 3)), zorder=2.5)
    axes.axvspan(at, max(right, at), color=BUDGET, alpha=0.05, linewidth=0, zorder=0)
    axes.text(
        at,
        1.012,
        f"budget {text}",
        transform=axes.get_xaxis_transform(),
        ha="center",
        va="bottom",
        fontsize=8.5,
        color=BUDGET,
    )


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


def axis_scale(values: NDArray[np.float64], of: Metric) -> tuple[float, str]:
    """Counts and bytes are drawn in millions or billions, so that ticks are short."""
    if not of.scaled:
        return 1.0, of.unit
    largest = float(np.abs(values).max(initial=0.0))
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if largest >= 2 * factor:
            return factor, unit
    return 1.0, ""
