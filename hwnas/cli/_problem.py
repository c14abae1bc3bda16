"""From options to a Problem: which metrics there are, and which objectives and budgets are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hwnas.errors import DataError, UnknownNameError
from hwnas.quantity import parse_bytes, parse_count, parse_latency_ms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwnas.latency import LatencyTable
    from hwnas.search import Metric, Problem
    from hwnas.space import AdditiveCost, Population, SearchSpace

METRICS = {
    "top1": ("top1", "%"),
    "latency": ("latency_ms", "ms"),
    "macs": ("macs", "MACs"),
    "params": ("params", "params"),
    "memory": ("memory_bytes", "B"),
}
"""What users may name: the column it stands for and its unit."""


def parse_objectives(text: str) -> tuple[str, ...]:
    """Columns of ``top1,latency``.

    Raises:
        UnknownNameError: a metric that there is not.
        DataError: one is named twice, or none.
    """
    columns = {column: column for column, _ in METRICS.values()} | {
        name: column for name, (column, _) in METRICS.items()
    }
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in columns:
            raise UnknownNameError("objective", name, METRICS)
    chosen = tuple(columns[name] for name in names)
    if not chosen or len(set(chosen)) < len(chosen):
        raise DataError(f"--objectives {text}", "it names each objective once", "write for example top1,latency")
    return chosen


def parse_budgets(
    latency: str | None, macs: str | None, params: str | None, memory: str | None = None
) -> dict[str, float]:
    """Upper bounds by column, in ms, plain counts and bytes.

    Raises:
        QuantityError: a bare number, a wrong unit.
    """
    budgets = {}
    if latency is not None:
        budgets["latency_ms"] = parse_latency_ms(latency, "--latency")
    if macs is not None:
        budgets["macs"] = parse_count(macs, "--macs")
    if params is not None:
        budgets["params"] = parse_count(params, "--params")
    if memory is not None:
        budgets["memory_bytes"] = parse_bytes(memory, "--memory")
    return budgets


class TellsTop1(Protocol):
    """A predictor, or whatever measures instead."""

    def predict(self, x: NDArray[Any]) -> NDArray[np.float64]: ...

    def predict_std(self, x: NDArray[Any]) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Metrics:
    """Everything that can be told of a subnet before it runs.

    Attributes:
        space: the space, restricted to what predictor and table cover.
        predictor: tells ``top1``; None if accuracy is not asked for.
        table: tells ``latency_ms``; None if latency is not asked for.
        batch: images per run; ``memory_bytes`` is of all.
        latency: tells ``latency_ms`` in the table's place: corrected by measurements.
    """

    space: SearchSpace
    predictor: TellsTop1 | None
    table: LatencyTable | None
    batch: int = 1
    latency: AdditiveCost | None = None

    @cached_property
    def functions(self) -> dict[str, Metric]:
        """Metrics by column, in the order of a CSV."""
        from hwnas.predictor import Predictor  # noqa: PLC0415
        from hwnas.space import PeakMemory, macs_cost, params_cost  # noqa: PLC0415

        functions: dict[str, Metric] = {}
        if self.predictor is not None:
            # As a sum where it is one: then the exact front can be had.
            additive = self.predictor.additive() if isinstance(self.predictor, Predictor) else None
            functions["top1"] = additive or self.predictor.predict
        if self.table is not None:
            functions["latency_ms"] = self.latency or self.table.cost(self.space)
        functions["macs"] = macs_cost(self.space)
        functions["params"] = params_cost(self.space)
        functions["memory_bytes"] = PeakMemory(self.space, self.batch)
        return functions

    def problem(self, objectives: Sequence[str], budgets: Mapping[str, float]) -> Problem:
        """The search problem; objectives and budgets are columns."""
        from hwnas.search import Constraint, Objective, Problem  # noqa: PLC0415

        units = dict(METRICS.values())
        device = self.table.device.id if self.table is not None else None
        return Problem(
            self.space,
            [Objective(name, units[name], name == "top1", self.functions[name]) for name in objectives],
            [
                Constraint(name, units[name], self.functions[name], upper, device if name == "latency_ms" else None)
                for name, upper in budgets.items()
            ],
        )

    def score(self, x: Population) -> dict[str, NDArray[Any]]:
        """``(n,)`` of every metric by column, with ``top1_std`` where the predictor tells it."""
        values: dict[str, NDArray[Any]] = {}
        for name, fn in self.functions.items():
            values[name] = fn(x)
            if name == "top1" and self.predictor is not None:
                spread = self.predictor.predict_std(x)
                if np.isfinite(spread).all():
                    values["top1_std"] = spread
        return values
