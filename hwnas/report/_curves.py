"""Hypervolume over evaluations of several searchers and seeds: a tidy table, a printed one, and a picture with bands."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.report._colours import MUTED
from hwnas.report._compare_show import COLOURS
from hwnas.report._fitting import FittingTable
from hwnas.report._plot import frame_axes, new_figure, save_figure

LEVELS = (0.95, 0.98, 0.99)
"""Shares of the best-known hypervolume that tables count evaluations to."""


@dataclass(frozen=True)
class Curves:
    """The hypervolume of each searcher after each evaluation.

    Attributes:
        volumes: ``(seeds, evaluations)`` hypervolumes by searcher; a run that ended early keeps its last value.
        best: the best-known hypervolume.
        best_is: its origin: ``exact``, ``best known`` or ``best measured``.
    """

    volumes: Mapping[str, NDArray[np.float64]]
    best: float
    best_is: str = "best known"

    @classmethod
    def of(
        cls, runs: Mapping[str, Sequence[NDArray[np.float64]]], best: float, best_is: str, evaluations: int
    ) -> Curves:
        """From one curve per searcher and seed. If a run exceeds ``best``, its hypervolume is the best."""
        padded = {
            name: np.stack([np.pad(c, (0, max(evaluations - len(c), 0)), mode="edge")[:evaluations] for c in curves])
            for name, curves in runs.items()
            if curves
        }
        most = max((float(v.max()) for v in padded.values()), default=0.0)
        return cls(padded, max(best, most), best_is)

    @property
    def evaluations(self) -> int:
        """Evaluations of the longest run."""
        return max((v.shape[1] for v in self.volumes.values()), default=0)

    def needed(self, searcher: str, level: float) -> NDArray[np.float64]:
        """``(seeds,)`` evaluations until a share of the best is reached; inf if it is not."""
        volumes, goal = self.volumes[searcher], level * self.best * (1 - 1e-12)
        return np.where(volumes[:, -1] >= goal, (volumes >= goal).argmax(axis=1) + 1, np.inf)

    def marks(self) -> list[int]:
        """Evaluations at which tables show hypervolumes: a quarter, half and all."""
        return sorted({max(self.evaluations // part, 1) for part in (4, 2, 1)})


def curves_frame(curves: Curves, seeds: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """A tidy table ``searcher, seed, evaluations, hypervolume, share`` with one row per searcher, seed and evaluation."""
    parts = [
        pd.DataFrame(
            {
                "searcher": name,
                "seed": seed,
                "evaluations": np.arange(1, len(volumes) + 1),
                "hypervolume": volumes.round(9),
                "share": (volumes / curves.best).round(9),
            }
        )
        for name, runs in curves.volumes.items()
        for seed, volumes in zip(seeds[name], runs, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def curves_table(curves: Curves, marks: Sequence[int] | None = None) -> FittingTable:
    """Shares of the best after some evaluations (mean and standard deviation), and evaluations to levels (median)."""
    marks = curves.marks() if marks is None else marks
    table = FittingTable()
    table.add_column("Searcher", curves.volumes, left=True, rank=0)
    table.add_column("Seeds", [str(len(volumes)) for volumes in curves.volumes.values()], rank=len(marks) + len(LEVELS))
    for mark in marks:
        table.add_column(f"@{mark}", [_share(v, mark, curves.best) for v in curves.volumes.values()], rank=-mark)
    for level in LEVELS:
        needed = [float(np.median(curves.needed(name, level))) for name in curves.volumes]
        table.add_column(f"to {level:.0%}", ["-" if np.isinf(n) else f"{n:.0f}" for n in needed], rank=1)
    return table


def _share(volumes: NDArray[np.float64], mark: int, best: float) -> str:
    if mark > volumes.shape[1]:
        return ""
    share = 100 * volumes[:, mark - 1] / best
    return f"{share.mean():.2f} ±{share.std():.2f}"


def save_curves(curves: Curves, path: str | os.PathLike[str], title: str, subtitle: str = "") -> None:
    """Draw means over seeds with bands from the worst to the best seed; see :func:`hwnas.report.save_plot`."""
    figure, axes = new_figure(title, subtitle)
    x = np.arange(1, curves.evaluations + 1)
    for i, (name, volumes) in enumerate(curves.volumes.items()):
        share = 100 * volumes / curves.best
        colour = COLOURS[i % len(COLOURS)]
        axes.fill_between(x, share.min(axis=0), share.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, share.mean(axis=0), color=colour, linewidth=1.6, label=f"{name} ({len(volumes)})")
    axes.axhline(100, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)), label=curves.best_is)
    frame_axes(axes, ("Evaluations", ""), ("Hypervolume, of the best", "%"))
    axes.set_ylim(_floor(curves), 101.5)
    axes.margins(x=0.02)
    axes.legend(loc="lower right", fontsize=9, frameon=False, handlelength=1.4, labelcolor="linecolor")
    save_figure(figure, path)


def _floor(curves: Curves) -> float:
    """The lower end of the y axis: the mean of the worst searcher after a tenth of the evaluations."""
    at = max(curves.evaluations // 10, 1) - 1
    worst = min(float(v[:, at].mean()) for v in curves.volumes.values())
    return max(0.0, min(100 * worst / curves.best - 3, 95.0))
