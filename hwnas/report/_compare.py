"""Compare two or more fronts: hypervolume, coverage, the union front, attainment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.metric import (
    Metric,
)
from hwnas.report._comparable import NamedFront, notes_on, objectives_of, refuse_different
from hwnas.search import hypervolume, non_dominated

MARGIN = 0.01
"""Distance of the reference point beyond the worst values, as a share of their range, so that the ends of a front count."""

BUDGETS = 5


@dataclass(frozen=True)
class Comparison:
    """The comparison of k fronts in m objectives.

    Attributes:
        names: names of the fronts.
        metrics: the objectives.
        values: ``(n, m)`` values of each front.
        reference: ``(m,)`` reference point of the hypervolumes, in the objectives' own directions.
        hypervolumes: ``(k,)`` hypervolumes of the fronts.
        union_hypervolume: hypervolume of all points together.
        dominated: ``(k, k)`` share of the points of front ``row`` that a point of front ``column`` dominates.
        contributed: ``(k,)`` points of each front on the union front; equal points count for every front.
        lost: ``(k,)`` share of the union's hypervolume that is lost without the front.
        union: number of distinct points on the union front.
        budgets: ``(b,)`` budgets on the second objective.
        attained: ``(k, b)`` best first objective within each budget; NaN if there is none.
        notes: notes from the provenances.
    """

    names: tuple[str, ...]
    metrics: tuple[Metric, ...]
    values: tuple[NDArray[np.float64], ...]
    reference: tuple[float, ...]
    hypervolumes: tuple[float, ...]
    union_hypervolume: float
    dominated: NDArray[np.float64]
    contributed: tuple[int, ...]
    lost: tuple[float, ...]
    union: int
    budgets: tuple[float, ...]
    attained: NDArray[np.float64]
    notes: tuple[str, ...]

    @property
    def objectives(self) -> tuple[str, ...]:
        """Columns of the objectives."""
        return tuple(metric.column for metric in self.metrics)

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON types, with fronts by name."""
        k = range(len(self.names))
        return {
            "objectives": list(self.objectives),
            "reference": dict(zip(self.objectives, self.reference, strict=True)),
            "union": {"points": self.union, "hypervolume": self.union_hypervolume},
            "fronts": {
                self.names[i]: {
                    "points": len(self.values[i]),
                    "hypervolume": self.hypervolumes[i],
                    "points_on_union": self.contributed[i],
                    "share_of_union_lost_without": self.lost[i],
                    "share_dominated_by": {self.names[j]: float(self.dominated[i, j]) for j in k if j != i},
                }
                for i in k
            },
            "attainment": [
                {
                    self.objectives[1]: budget,
                    **{n: _known(v) for n, v in zip(self.names, best, strict=True)},
                }
                for budget, best in zip(self.budgets, self.attained.T, strict=True)
            ],
            "notes": list(self.notes),
        }


def compare(
    fronts: Sequence[NamedFront], objectives: Sequence[str] | None = None, *, anyway: bool = False
) -> Comparison:
    """Compare fronts over the same objectives.

    Args:
        fronts: two or more fronts with distinct names.
        objectives: names or columns, ``f1:max`` for the user's own; by default those of the searches.
        anyway: accept fronts of different spaces or devices.

    Raises:
        DataError: the fronts differ in objectives, units, spaces or devices.
    """
    if len(fronts) < 2:
        raise DataError(f"{len(fronts)} front", "a comparison needs two or more", "name another CSV")
    if not anyway:
        refuse_different(fronts)
    chosen = objectives_of(fronts, objectives)
    names = [metric.column for metric in chosen]
    aims = [metric.maximise for metric in chosen]
    values = tuple(front.frame[list(names)].to_numpy(dtype=np.float64) for front in fronts)
    everything = np.concatenate(values)
    reference = _reference(everything, aims)
    total = hypervolume(everything, reference, aims)
    on_union = non_dominated(everything, aims)
    owners = np.repeat(np.arange(len(fronts)), [len(v) for v in values])
    without = [hypervolume(everything[owners != i], reference, aims) for i in range(len(fronts))]
    budgets = _budgets([v[:, 1] for v in values])
    return Comparison(
        names=tuple(front.name for front in fronts),
        metrics=chosen,
        values=values,
        reference=reference,
        hypervolumes=tuple(hypervolume(v, reference, aims) for v in values),
        union_hypervolume=total,
        dominated=np.array([[_share_dominated(a, b, aims) for b in values] for a in values]),
        contributed=tuple(int((on_union & (owners == i)).sum()) for i in range(len(fronts))),
        lost=tuple(1 - w / total for w in without),
        union=len(np.unique(everything[on_union], axis=0)),
        budgets=budgets,
        attained=np.array([[_attained(v, budget, aims) for budget in budgets] for v in values]),
        notes=tuple(notes_on(fronts)),
    )


def _reference(values: NDArray[np.float64], aims: Sequence[bool]) -> tuple[float, ...]:
    low, high = values.min(axis=0), values.max(axis=0)
    margin = np.where(high > low, MARGIN * (high - low), np.maximum(np.abs(high) * MARGIN, MARGIN))
    return tuple(np.where(aims, low - margin, high + margin).tolist())


def _share_dominated(a: NDArray[np.float64], b: NDArray[np.float64], aims: Sequence[bool]) -> float:
    """Share of the rows of ``a`` that a row of ``b`` dominates; one row of ``a`` at a time, to save memory."""
    sign = np.where(aims, -1.0, 1.0)
    a, b = a * sign, b * sign
    return float(np.mean([bool(((b <= p).all(axis=1) & (b < p).any(axis=1)).any()) for p in a]))


def _budgets(costs: Sequence[NDArray[np.float64]]) -> tuple[float, ...]:
    """Round values over the range that all fronts cover, or over the whole range if they share none."""
    low, high = max(float(c.min()) for c in costs), min(float(c.max()) for c in costs)
    if not low < high:
        low, high = min(float(c.min()) for c in costs), max(float(c.max()) for c in costs)
    if not low < high:
        return (high,)
    rough = (high - low) / BUDGETS
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(m for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    inner = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    return tuple(float(f"{v:.12g}") for v in inner) or (high,)


def _attained(values: NDArray[np.float64], budget: float, aims: Sequence[bool]) -> float:
    within = values[:, 1] >= budget if aims[1] else values[:, 1] <= budget
    if not within.any():
        return float("nan")
    return float(values[within, 0].max() if aims[0] else values[within, 0].min())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
