"""Show a comparison of fronts as rich tables and as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hwnas.metric import Metric
from hwnas.report._columns import axis_scale
from hwnas.report._compare import Comparison
from hwnas.report._fitting import FittingTable
from hwnas.report._plot import frame_axes, new_figure, save_figure, stepping
from hwnas.search import non_dominated
from hwnas.wording import count_of

COLOURS = ("#22577a", "#c8553d", "#3a7d44", "#8a5a9e", "#b08900", "#4f6d7a")
"""Colours that can be distinguished with any colour vision."""


def comparison_tables(c: Comparison) -> Iterator[FittingTable | str]:
    """Tables of hypervolumes and contributions, dominance, and the best values within budgets; with a line of text."""
    yield _summary(c)
    bounds = ", ".join(_value(metric, at) for metric, at in zip(c.metrics, c.reference, strict=True))
    yield f"reference point {bounds}: 1 % of the range beyond the worst values; the union has {count_of(c.union, 'point')}"
    if len(c.names) > 2:
        yield _coverage(c)
    yield _attainment(c)


def _summary(c: Comparison) -> FittingTable:
    pair = len(c.names) == 2
    best = max(c.hypervolumes)
    rows = []
    for i, name in enumerate(c.names):
        volume = f"{c.hypervolumes[i]:.5g}"
        rows.append(
            [
                name,
                str(len(c.values[i])),
                f"[bold]{volume}[/bold]" if c.hypervolumes[i] == best else volume,
                f"{100 * c.hypervolumes[i] / c.union_hypervolume:.2f} %",
                str(c.contributed[i]),
                f"{max(0.0, 100 * c.lost[i]):.2f} %",
                *[f"{100 * c.dominated[i, 1 - i]:.0f} % by {c.names[1 - i]}"] * pair,
            ]
        )
    titles = ("Front", "Points", "Hypervolume", "of union", "on union", "Lost without it", *["Dominated"] * pair)
    return FittingTable.of(titles, rows)


def _coverage(c: Comparison) -> FittingTable:
    every = range(len(c.names))
    rows = [
        [f"of {c.names[i]}", *("-" if i == j else f"{100 * c.dominated[i, j]:.0f} %" for j in every)] for i in every
    ]
    return FittingTable.of(["Share dominated by", *c.names], rows)


def _attainment(c: Comparison) -> FittingTable:
    first, second = c.metrics[:2]
    sign = "≥" if second.maximise else "≤"
    # Values are compared as printed, so that all that look equal are bold.
    shown = [["-" if np.isnan(v) else first.show(v) for v in row] for row in c.attained]
    leaders = []
    for j, budget in enumerate(c.attained.T):
        known = np.flatnonzero(~np.isnan(budget))
        leader = known[(np.argmax if first.maximise else np.argmin)(budget[known])] if len(known) else None
        leaders.append(shown[leader][j] if leader is not None else None)
    rows = [
        [name, *(f"[bold]{v}[/bold]" if v == leader else v for v, leader in zip(row, leaders, strict=True))]
        for name, row in zip(c.names, shown, strict=True)
    ]
    budgets = (second.text(b) for b in c.budgets)
    return FittingTable.of([f"{first.title} at {second.label.lower()} {sign}", *budgets], rows)


def _value(metric: Metric, value: float) -> str:
    return f"{metric.label.lower()} {metric.text(value)}"


def save_comparison(c: Comparison, path: str | os.PathLike[str]) -> None:
    """Draw all fronts in one picture; see :func:`hwnas.report.save_plot`."""
    y_column, x_column = c.metrics[:2]
    x_scale, x_unit = axis_scale(np.concatenate([v[:, 1] for v in c.values]), x_column)
    y_scale, y_unit = axis_scale(np.concatenate([v[:, 0] for v in c.values]), y_column)
    shares = (f"{n} {100 * v / c.union_hypervolume:.1f} %" for n, v in zip(c.names, c.hypervolumes, strict=True))
    figure, axes = new_figure(f"{len(c.names)} fronts", f"hypervolume, of the union's: {' · '.join(shares)}")
    for i, (name, values) in enumerate(zip(c.names, c.values, strict=True)):
        steps = _envelope(values, (y_column.maximise, x_column.maximise))
        colour = COLOURS[i % len(COLOURS)]
        axes.scatter(values[:, 1] / x_scale, values[:, 0] / y_scale, s=13, color=colour, alpha=0.55, linewidths=0)
        where = f"steps-{stepping(x_column)}"
        axes.plot(steps[:, 1] / x_scale, steps[:, 0] / y_scale, color=colour, lw=1.4, drawstyle=where, label=name)
    frame_axes(axes, (x_column.label, x_unit), (y_column.label, y_unit))
    axes.margins(x=0.04, y=0.08)
    # Fronts overlap, so their names are in a corner instead of beside the curves.
    axes.legend(loc="lower right", fontsize=9, frameon=False, handlelength=1.2, labelcolor="linecolor")
    save_figure(figure, path)


def _envelope(values: NDArray[np.float64], aims: tuple[bool, bool]) -> NDArray[np.float64]:
    """The points of a front that are non-dominated in the first two objectives, sorted by the second."""
    two = values[:, :2]
    kept = two[non_dominated(two, aims)]
    return np.asarray(kept[np.argsort(kept[:, 1], kind="stable")])
